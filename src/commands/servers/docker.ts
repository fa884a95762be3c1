import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from './finished.ts';
import { answersHttp, nginxConfig } from './nginx.ts';
import { answersPgbouncer, type PgbouncerSettings, pgbouncerConfig, pgbouncerUrl } from './pgbouncer.ts';
import { hasDatabase, postgresLogin } from './postgres.ts';
import { answersAmqp, flushBy, type RabbitServer } from './rabbitmq.ts';
import { answers, untilReady } from './ready.ts';
import { type RedisKind, redisArguments } from './redis.ts';
import type { Server, ServerOptions } from './server.ts';

/** Whether `docker compose` can be used here. */
export async function dockerAnswers(): Promise<boolean> {
  if (!Bun.which('docker')) return false;
  const quiet = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', timeout: 10_000 } as const;
  const runs = [Bun.spawn(['docker', 'info'], quiet), Bun.spawn(['docker', 'compose', 'version'], quiet)];
  return (await Promise.all(runs.map((run) => run.exited))).every((code) => code === 0);
}

/** One service of a compose file, without its port. */
interface Container {
  name: string;
  url: string;
  containerPort: number;
  /** Where the image keeps its data. */
  dataFolder?: string;
  check: () => Promise<boolean>;
  service: {
    image: string;
    environment?: Record<string, string>;
    command?: string[];
    hostname?: string;
    volumes?: string[];
    network_mode?: string;
  };
}

export function startPostgresContainer(options: ServerOptions): Promise<Server> {
  const { user, password, database } = postgresLogin;
  const { port, durable } = options;
  return startContainer(options, {
    name: 'postgres',
    url: `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    containerPort: 5432,
    dataFolder: '/var/lib/postgresql/data',
    check: () => hasDatabase(port),
    service: {
      image: 'postgres:17-alpine',
      environment: { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database },
      command: ['postgres', '-c', 'max_connections=300', ...(durable ? [] : ['-c', 'fsync=off'])],
    },
  });
}

export function startRedisContainer(options: ServerOptions & { kind: RedisKind }): Promise<Server> {
  const withFile = 'touch /data/redis.conf && exec redis-server /data/redis.conf "$@"';
  return startContainer(options, {
    name: 'redis',
    url: `redis://127.0.0.1:${options.port}`,
    containerPort: 6379,
    dataFolder: '/data',
    check: () => answers(options.port, 'PING\r\n', '+PONG'),
    service: {
      image: 'redis:7-alpine',
      command: ['sh', '-c', withFile, 'redis', ...redisArguments[options.kind]],
    },
  });
}

export async function startRabbitmqContainer(options: ServerOptions): Promise<RabbitServer> {
  const server = await startContainer(options, {
    name: 'rabbitmq',
    url: `amqp://guest:guest@127.0.0.1:${options.port}`,
    containerPort: 5672,
    dataFolder: '/var/lib/rabbitmq',
    check: () => answersAmqp(options.port),
    // The data lies under the node's name, which holds the host's.
    service: { image: 'rabbitmq:4-alpine', hostname: 'confab' },
  });
  const ctl: RabbitServer['ctl'] = (...args) =>
    server.compose('exec', '-T', 'server', 'rabbitmqctl', '-q', ...args);
  return { ...server, ctl, flush: () => flushBy(ctl) };
}

/**
 * An nginx as of {@link startNginx}. On Linux it shares the host's network; elsewhere containers have one of their own,
 * and 127.0.0.1 becomes the names that lead in and out.
 */
export async function startNginxContainer(options: ServerOptions & { http: string }): Promise<Server> {
  const { folder, port, http } = options;
  const shared = process.platform === 'linux';
  const reachable = shared
    ? http
    : http.replaceAll(/listen\s+127\.0\.0\.1:/g, 'listen ').replaceAll('127.0.0.1', 'host.docker.internal');
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'nginx.conf');
  await writeFile(configFile, nginxConfig(reachable, '/tmp'));
  return startContainer(options, {
    name: 'nginx',
    url: `http://127.0.0.1:${port}`,
    containerPort: port,
    check: () => answersHttp(port),
    service: {
      image: 'nginx:1-alpine',
      command: ['nginx', '-c', '/etc/nginx/own.conf'],
      volumes: [`${configFile}:/etc/nginx/own.conf:ro`],
      ...(shared ? { network_mode: 'host' } : {}),
    },
  });
}

/** A PgBouncer as of {@link startPgbouncer}, in a network as that of {@link startNginxContainer}. */
export async function startPgbouncerContainer(options: ServerOptions & PgbouncerSettings): Promise<Server> {
  const { folder, port } = options;
  const shared = process.platform === 'linux';
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'pgbouncer.ini');
  const places = shared
    ? { address: '127.0.0.1', upstream: '127.0.0.1' }
    : { address: '*', upstream: 'host.docker.internal' };
  await writeFile(configFile, pgbouncerConfig(options, places));
  return startContainer(options, {
    name: 'pgbouncer',
    url: pgbouncerUrl(port),
    containerPort: port,
    check: () => answersPgbouncer(port),
    service: {
      image: 'alpine:3',
      command: ['sh', '-c', 'apk add --no-cache pgbouncer && exec pgbouncer -u nobody /etc/own.ini'],
      volumes: [`${configFile}:/etc/own.ini:ro`],
      ...(shared ? { network_mode: 'host' } : {}),
    },
  });
}

/** A compose project of one service; `durable` keeps its volume when it stops. */
async function startContainer(
  { guard, folder, port, durable }: ServerOptions,
  { name, url, containerPort, dataFolder, check, service }: Container,
): Promise<Server & { compose: (...args: string[]) => Promise<string> }> {
  await mkdir(folder, { recursive: true });
  const composeFile = join(folder, 'compose.json');
  const data = dataFolder ? (durable ? { volumes: [`data:${dataFolder}`] } : { tmpfs: [dataFolder] }) : {};
  const ports = service.network_mode ? {} : { ports: [`127.0.0.1:${port}:${containerPort}`] };
  const volumes = durable && dataFolder ? { volumes: { data: {} } } : {};
  await writeFile(
    composeFile,
    JSON.stringify({ services: { server: { ...service, ...data, ...ports } }, ...volumes }),
  );
  const project = durable ? `confab-services-${name}` : `confab-${name}-${port}`;
  const command = ['docker', 'compose', '-p', project, '-f', composeFile];
  const takeDown = ['down', '--timeout', durable ? '10' : '0', ...(durable ? [] : ['--volumes'])];

  const compose = (...args: string[]): Promise<string> => output([...command, ...args]);
  const up = async (): Promise<void> => {
    await compose('up', '-d', '--quiet-pull');
    await untilReady({ what: `${name} in its container`, check, deadlineMs: 120_000 });
  };

  // The compose file may be gone when the watchdog comes to it: a project is found by its name alone.
  const stopped = guard.undoOnDeath(project, ['docker', 'compose', '-p', project, ...takeDown]);
  const stop = async (): Promise<void> => {
    await compose(...takeDown);
    stopped();
  };
  await up().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    name,
    url,
    host: '127.0.0.1',
    port,
    pid() {
      throw new Error(`${name} runs in a container`);
    },
    kill: async () => void (await compose('kill')),
    async restart() {
      await compose('kill');
      await up();
    },
    pause: async () => void (await compose('pause')),
    resume: async () => void (await compose('unpause')),
    stop,
    compose,
  };
}
