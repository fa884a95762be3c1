import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import {
  startNginxContainer,
  startPgbouncerContainer,
  startPostgresContainer,
  startRabbitmqContainer,
  startRedisContainer,
} from './docker.ts';
import type { Guard } from './guard.ts';
import { startHaproxy } from './haproxy.ts';
import { startNginx } from './nginx.ts';
import { type PgbouncerSettings, startPgbouncer } from './pgbouncer.ts';
import { freePort } from './ports.ts';
import { type Standby, startPostgres } from './postgres.ts';
import { startPrometheus } from './prometheus.ts';
import { type RabbitNode, type RabbitServer, startRabbitmq } from './rabbitmq.ts';
import { type RedisKind, startRedis } from './redis.ts';
import type { Server, ServerOptions } from './server.ts';

/** Where a server keeps its files, and on which port it listens (a free one unless given). */
export interface Place {
  folder: string;
  port?: number;
  /** See {@link ServerOptions.durable}. */
  durable: boolean;
}

/** Starts servers in one of the ways there are: from the machine's binaries, or in containers, of which none follows another. */
export interface Launcher {
  postgres(place: Place, standby?: Standby): Promise<Server>;
  redis(place: Place, kind?: RedisKind): Promise<Server>;
  rabbitmq(place: Place, node?: RabbitNode): Promise<RabbitServer>;
  /** @param http given its port, the text of the `http` block, with a server that listens on 127.0.0.1 there */
  nginx(place: Place, http: (port: number) => string): Promise<Server>;
  /** From the machine's binary alone. @param config given its port, the whole configuration, with a frontend at 127.0.0.1 there */
  haproxy(place: Place, config: (port: number) => string): Promise<Server>;
  pgbouncer(place: Place, settings: PgbouncerSettings): Promise<Server>;
  /** From the machine's binary alone. */
  prometheus(place: Place, config: object): Promise<Server>;
}

export interface Trio {
  postgres: Server;
  redis: Server;
  rabbitmq: RabbitServer;
}

/** Starts from binaries, and what has none from containers. */
export function createLauncher(guard: Guard, binaries: Binaries): Launcher {
  const options = async ({ folder, port, durable }: Place): Promise<ServerOptions> => ({
    guard,
    folder,
    durable,
    port: port ?? (await freePort()),
  });
  return {
    async postgres(place, standby) {
      const given = await options(place);
      if (binaries.postgres) return startPostgres({ ...given, standby, binaries: binaries.postgres });
      if (standby) throw notInContainers('PostgreSQL');
      return startPostgresContainer(given);
    },
    async redis(place, kind = 'server') {
      const given = { ...(await options(place)), kind };
      return binaries.redis ? startRedis({ ...given, binary: binaries.redis }) : startRedisContainer(given);
    },
    async rabbitmq(place, node) {
      const given = await options(place);
      if (binaries.rabbitmq) return startRabbitmq({ ...given, node, binaries: binaries.rabbitmq });
      if (node) throw notInContainers('RabbitMQ');
      return startRabbitmqContainer(given);
    },
    async nginx(place, http) {
      const given = await options(place);
      const configured = { ...given, http: http(given.port) };
      return binaries.nginx
        ? startNginx({ ...configured, binary: binaries.nginx })
        : startNginxContainer(configured);
    },
    async haproxy(place, config) {
      if (!binaries.haproxy) throw new Error('HAProxy is not on this machine');
      const given = await options(place);
      return startHaproxy({ ...given, config: config(given.port), binary: binaries.haproxy });
    },
    async pgbouncer(place, settings) {
      const configured = { ...(await options(place)), ...settings };
      return binaries.pgbouncer
        ? startPgbouncer({ ...configured, binary: binaries.pgbouncer })
        : startPgbouncerContainer(configured);
    },
    async prometheus(place, config) {
      if (!binaries.prometheus) throw new Error('Prometheus is not on this machine');
      return startPrometheus({ ...(await options(place)), config, binary: binaries.prometheus.server });
    },
  };
}

const notInContainers = (name: string) =>
  new Error(`a cluster needs ${name} installed on this machine: containers are started one by one`);

/** Starts the three at once, each in its own folder inside `folder`. If one fails, the others are stopped. */
export async function startTrio(
  launcher: Launcher,
  folder: string,
  options: {
    durable: boolean;
    ports?: { postgres: number; redis: number; rabbitmq: number };
    /** Folders elsewhere than in `folder`. */
    folders?: { postgres?: string };
  },
): Promise<Trio> {
  const place = (name: 'postgres' | 'redis' | 'rabbitmq'): Place => ({
    folder: join(folder, name),
    durable: options.durable,
    ...(options.ports ? { port: options.ports[name] } : {}),
  });
  const started = await Promise.allSettled([
    launcher.postgres({
      ...place('postgres'),
      ...(options.folders?.postgres ? { folder: options.folders.postgres } : {}),
    }),
    launcher.redis(place('redis')),
    launcher.rabbitmq(place('rabbitmq')),
  ] as const);
  const [postgres, redis, rabbitmq] = started;
  if (postgres.status === 'fulfilled' && redis.status === 'fulfilled' && rabbitmq.status === 'fulfilled')
    return { postgres: postgres.value, redis: redis.value, rabbitmq: rabbitmq.value };
  await Promise.all(started.map((each) => (each.status === 'fulfilled' ? each.value.stop() : undefined)));
  throw new AggregateError(
    started.flatMap((each) => (each.status === 'rejected' ? [each.reason] : [])),
    started.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : [])).join('\n'),
  );
}

export async function stopTrio({ postgres, redis, rabbitmq }: Trio): Promise<void> {
  await Promise.all([postgres.stop(), redis.stop(), rabbitmq.stop()]);
}
