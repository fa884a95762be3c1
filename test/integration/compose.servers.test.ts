import { afterAll, describe, expect, test } from 'bun:test';
import { cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { parseEnvironment, readText, repository } from '../support/repository.ts';

interface Service {
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  ports?: (string | { host_ip?: string; published: number | string; target: number })[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  volumes?: (string | { source: string; target: string })[];
  networks?: Record<string, { aliases?: string[] } | null>;
}
type Services = Record<string, Service>;

const folder = await mkdtemp(join(tmpdir(), 'confab-compose-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const compose = findBinaries().compose ?? [];
if (compose.length === 0) throw new Error('docker-compose is not on this machine');

/** What compose makes of the file, with `.env` as given and nothing of ours in the environment. */
async function services(name: string, options: { dotEnv?: string; PORT?: string } = {}): Promise<Services> {
  const copy = join(folder, name);
  await mkdir(copy, { recursive: true });
  for (const file of ['docker-compose.yml', 'Dockerfile', 'deploy'])
    await cp(join(repository, file), join(copy, file), { recursive: true });
  if (options.dotEnv !== undefined) await Bun.write(join(copy, '.env'), options.dotEnv);
  const run = Bun.spawn([...compose, 'config'], {
    cwd: copy,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      ...(options.PORT === undefined ? {} : { PORT: options.PORT }),
    },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, out, err] = await Promise.all([
    run.exited,
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return (Bun.YAML.parse(out) as { services: Services }).services;
}

const plain = await services('plain');
const example = await services('example', { dotEnv: await readText('.env.example') });
const ours = ['migrate', 'api', 'worker', 'gateway'] as const;

/** The environment of a container with the secret that its entrypoint puts in. */
const containerConfig = (all: Services, name: string) =>
  parseConfig({ ...all[name]?.environment, JWT_SECRET: 'a secret of at least 32 bytes, made once' });

/** Published ports as `host:port:target`; compose 1 and 2 write them differently. */
function published(service: Service | undefined): string[] {
  return (service?.ports ?? []).map((port) => {
    if (typeof port === 'string') return port.replace('/tcp', '');
    const { host_ip, published: host, target } = port;
    return [...(host_ip ? [host_ip] : []), host, target].join(':');
  });
}

/** A shell line of the file as the container gets it, on a folder of the test. */
const asRun = (line: string, secrets: string) => line.replaceAll('$$', '$').replaceAll('/secrets', secrets);

for (const [name, all] of [
  ['without a .env', plain],
  ['with .env.example as .env', example],
] as const) {
  describe(`compose ${name}`, () => {
    test('has the servers, the one-shots, the three processes and Kong', () => {
      expect(Object.keys(all).sort()).toEqual(
        ['postgres', 'redis', 'rabbitmq', 'secret', ...ours, 'kong'].sort(),
      );
    });

    test('gives each container addresses of containers, never localhost', () => {
      for (const service of ours) {
        const config = containerConfig(all, service);
        expect(config.databaseUrl).toBe('postgres://postgres:postgres@postgres:5432/chat');
        expect(config.redis).toMatchObject({ host: 'redis', port: 6379 });
        expect(config.broker).toMatchObject({ hosts: [{ host: 'rabbitmq', port: 5672 }], vhost: '/' });
        expect(JSON.stringify(all[service]?.environment)).not.toMatch(/localhost|127\.0\.0\.1/);
      }
    });

    test('sets the worker flag in the worker alone, production and the proxy everywhere', () => {
      for (const service of ours) {
        const config = containerConfig(all, service);
        expect(config.worker.enabled).toBe(service === 'worker');
        expect(config.environment).toBe('production');
        expect(config.trustProxy).toBe(true);
      }
    });

    test('leaves every other variable at its default', () => {
      const { worker, databaseUrl, environment, trustProxy, auth, redis, broker, ...rest } = containerConfig(
        all,
        'api',
      );
      const defaults = parseConfig({});
      expect(defaults).toMatchObject(rest);
      expect({ ...auth, secret: '' }).toEqual({ ...defaults.auth, secret: '' });
      expect({ ...worker, enabled: false }).toEqual(defaults.worker);
      expect({ ...broker, hosts: [] }).toEqual({ ...defaults.broker, hosts: [] });
    });

    test('publishes Kong on 3000 and the servers to this machine alone', () => {
      expect(published(all.kong)).toEqual(['3000:8000']);
      expect(published(all.postgres)).toEqual(['127.0.0.1:5432:5432']);
      expect(published(all.redis)).toEqual(['127.0.0.1:6379:6379']);
      expect(published(all.rabbitmq)).toEqual(['127.0.0.1:5672:5672', '127.0.0.1:15672:15672']);
      for (const service of ours) expect(published(all[service])).toEqual([]);
    });
  });
}

test('PORT moves Kong and nothing else', async () => {
  const moved = await services('port', { PORT: '8080' });
  expect(published(moved.kong)).toEqual(['8080:8000']);
  expect(moved.api?.environment?.PORT).toBe('3000');
});

test('what .env says reaches the containers, its addresses do not', async () => {
  const set = await services('own', {
    dotEnv: [
      'JWT_SECRET=an own secret of more than thirty-two bytes',
      'REDIS_HOST=localhost',
      'REDIS_PORT=6380',
      'REDIS_PASSWORD=own',
      'RABBITMQ_URI=amqp://localhost',
      'RABBITMQ_PASSWORD=own',
      'DATABASE_URL=postgres://localhost/own',
      'CHAT_WORKER_ENABLED=true',
      'NODE_ENV=development',
      'CORS_ORIGINS=https://app.example.com',
      'JWT_ACCESS_TTL=5m',
    ].join('\n'),
  });
  const config = parseConfig(set.api?.environment ?? {});
  expect(config).toMatchObject({
    environment: 'production',
    databaseUrl: 'postgres://postgres:postgres@postgres:5432/chat',
    redis: { host: 'redis', port: 6379, password: 'own' },
    broker: { hosts: [{ host: 'rabbitmq', port: 5672 }], username: 'guest', password: 'own' },
    worker: { enabled: false },
    corsOrigins: ['https://app.example.com'],
    auth: { secret: 'an own secret of more than thirty-two bytes', accessTtlSeconds: 300 },
  });
  expect(published(set.redis)).toEqual(['127.0.0.1:6380:6379']);
  expect(set.rabbitmq?.environment?.RABBITMQ_DEFAULT_PASS).toBe('own');
  expect(set.redis?.command?.slice(-2)).toEqual(['--requirepass', 'own']);
});

test('no variable is forgotten: each is set, or handed on from .env', async () => {
  const known = Object.keys(parseEnvironment(await readText('.env.example')));
  // The data folder is the single process's; one URI in place of the parts would be an address.
  const notForContainers = [
    ...['DATA_DIR', 'RABBITMQ_URI'],
    ...['RABBITMQ_TLS', 'RABBITMQ_TLS_CA', 'RABBITMQ_TLS_CERT', 'RABBITMQ_TLS_KEY'],
  ];
  for (const service of ours) {
    const checksTokens = service === 'api' || service === 'gateway';
    const left = [...notForContainers, ...(checksTokens ? [] : ['JWT_SECRET'])];
    expect(Object.keys(plain[service]?.environment ?? {}).sort()).toEqual(
      known.filter((name) => !left.includes(name)).sort(),
    );
  }
});

test('nothing starts before what it needs is healthy, and each long-running service is watched', () => {
  const conditions = (name: string) =>
    Object.fromEntries(
      Object.entries(plain[name]?.depends_on ?? {}).map(([on, { condition }]) => [on, condition]),
    );
  expect(conditions('migrate')).toEqual({ postgres: 'service_healthy' });
  const servers = {
    migrate: 'service_completed_successfully',
    postgres: 'service_healthy',
    redis: 'service_healthy',
    rabbitmq: 'service_healthy',
  };
  expect(conditions('worker')).toEqual(servers);
  for (const name of ['api', 'gateway'])
    expect(conditions(name)).toEqual({ secret: 'service_completed_successfully', ...servers });
  expect(conditions('kong')).toEqual({
    api: 'service_healthy',
    worker: 'service_healthy',
    gateway: 'service_healthy',
  });
  for (const name of ['postgres', 'redis', 'rabbitmq', 'api', 'worker', 'gateway', 'kong'])
    expect(plain[name]?.healthcheck?.test.length).toBeGreaterThan(1);
});

test('the commands name files that are in the image', async () => {
  for (const name of ours) {
    const [bun, file = ''] = plain[name]?.command ?? [];
    expect(bun).toBe('bun');
    expect((await stat(join(repository, file))).isFile()).toBe(true);
  }
});

test('Kong runs without a database on the file of this repository, and finds the api by the name in it', () => {
  expect(plain.kong?.environment).toMatchObject({
    KONG_DATABASE: 'off',
    KONG_DECLARATIVE_CONFIG: '/kong/kong.yml',
  });
  expect(JSON.stringify(plain.kong?.volumes)).toContain('deploy/kong');
  expect(plain.api?.networks?.default?.aliases).toEqual(['chat-be']);
});

test('a secret is made once, readable to its owner alone, and kept', async () => {
  const secrets = join(folder, 'secrets');
  await mkdir(secrets);
  const make = async () => {
    const { entrypoint = [], command = [] } = plain.secret ?? {};
    const lines = command.map((line) => asRun(line, secrets));
    expect(await Bun.spawn([...entrypoint, ...lines], { stderr: 'inherit' }).exited).toBe(0);
    return Bun.file(join(secrets, 'jwt-secret')).text();
  };
  expect(plain.gateway?.entrypoint).toEqual(plain.api?.entrypoint);
  const first = await make();
  expect(Buffer.from(first, 'base64').length).toBe(48);
  expect((await stat(join(secrets, 'jwt-secret'))).mode & 0o777).toBe(0o600);
  expect(await make()).toBe(first);

  const seenBy = async (environment: Record<string, string>) => {
    const [shell = '', ...rest] = (plain.api?.entrypoint ?? []).map((line) => asRun(line, secrets));
    const run = Bun.spawn([shell, ...rest, 'sh', '-c', 'printf %s "$JWT_SECRET"'], {
      env: { PATH: process.env.PATH ?? '', ...environment },
      stdout: 'pipe',
    });
    return new Response(run.stdout).text();
  };
  expect(await seenBy({ JWT_SECRET: '' })).toBe(first.trim());
  expect(await seenBy({ JWT_SECRET: 'an own one' })).toBe('an own one');
});

test('the image is not run as root and takes in nothing but the program', async () => {
  const dockerfile = await readText('Dockerfile');
  expect(dockerfile.match(/^USER (.+)$/m)?.[1]).toBe('1000:1000');
  expect(dockerfile).toContain('--frozen-lockfile --production');
  // `bun install` fails without the patches that package.json names.
  expect(dockerfile).toContain('COPY patches ./patches');
  const ignored = (await readText('.dockerignore'))
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  expect(ignored).toEqual([
    '*',
    '!bun.lock',
    '!bunfig.toml',
    '!package.json',
    '!patches',
    '!tsconfig.json',
    '!drizzle',
    '!src',
  ]);
});
