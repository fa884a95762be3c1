import { afterAll } from 'bun:test';
import { join } from 'node:path';
import {
  type BrokerNames,
  createBrokerNames,
  createDatabase,
  deleteFromBroker,
  startServers,
} from '../../harness/servers.ts';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { createGuard, type Guard } from '../../src/commands/servers/guard.ts';
import { createLauncher, type Launcher } from '../../src/commands/servers/launcher.ts';
import type { PgbouncerSettings } from '../../src/commands/servers/pgbouncer.ts';
import type { RabbitServer } from '../../src/commands/servers/rabbitmq.ts';
import type { RedisKind } from '../../src/commands/servers/redis.ts';
import type { Server } from '../../src/commands/servers/server.ts';

/**
 * Real servers for a test file. The test command starts them once and hands them over by the environment; a single
 * file run by hand starts its own, once a process.
 */
export interface RealServers {
  /** PostgreSQL's own database; make one for the test with {@link RealServers.createDatabase}. */
  readonly adminDatabaseUrl: string;
  readonly redisUrl: string;
  readonly rabbitmqUrl: string;
  /** A new, empty database; dropped, with its connections cut, after the test file. */
  createDatabase(): Promise<string>;
  /** Names of exchanges and queues nobody else uses; what was made of them is deleted after the test file. */
  createBrokerNames(): BrokerNames;
  /** A Redis for this file alone (30 ms): pub/sub has no walls between databases. Killable. */
  createRedis(kind?: RedisKind): Promise<Server>;
  /** A PostgreSQL for this file alone (about 2 s), to kill, freeze and restart. */
  createPostgres(): Promise<Server>;
  /** A RabbitMQ for this file alone (about 7 s), to kill, freeze and restart, and with alarms by `ctl`. */
  createRabbitmq(): Promise<RabbitServer>;
  /** An nginx; `http` is given its port and gives the text of the `http` block. */
  createNginx(http: (port: number) => string): Promise<Server>;
  /** An HAProxy; `config` is given its port and gives the whole configuration. */
  createHaproxy(config: (port: number) => string): Promise<Server>;
  /** A PgBouncer before a PostgreSQL on 127.0.0.1. */
  createPgbouncer(settings: PgbouncerSettings): Promise<Server>;
  createPrometheus(config: object): Promise<Server>;
}

/**
 * `const servers = await realServers();` at the top of the file (or of a `describe`): what is made with it is undone
 * after that. Not inside a hook: Bun runs an `afterAll` registered in a `beforeAll` before the first test.
 */
export async function realServers(): Promise<RealServers> {
  let over = false;
  const steps: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    over = true;
    for (const step of steps.reverse()) await step();
  }, 30_000);
  const undo = {
    push(step: () => Promise<unknown>): void {
      if (over) throw new Error('realServers() was called inside a hook: call it at the top of the file');
      steps.push(step);
    },
  };
  sharedServers ??= findSharedServers();
  const shared = await sharedServers;

  const own = async <T extends Server>(
    start: (launcher: Launcher, folder: string) => Promise<T>,
  ): Promise<T> => {
    const { guard, launcher } = ownLauncher();
    const folder = await guard.temporaryFolder('confab-test-');
    undo.push(() => guard.removeFolder(folder));
    const server = await start(launcher, join(folder, 'server'));
    undo.push(() => server.stop());
    return server;
  };

  return {
    ...shared,
    async createDatabase() {
      const database = await createDatabase(shared.adminDatabaseUrl);
      undo.push(database.drop);
      return database.url;
    },
    createBrokerNames() {
      const names = createBrokerNames();
      undo.push(() => deleteFromBroker(shared.rabbitmqUrl, names));
      return names;
    },
    createRedis: (kind) => own((launcher, folder) => launcher.redis({ folder, durable: false }, kind)),
    createPostgres: () => own((launcher, folder) => launcher.postgres({ folder, durable: false })),
    createRabbitmq: () => own((launcher, folder) => launcher.rabbitmq({ folder, durable: false })),
    createNginx: (http) => own((launcher, folder) => launcher.nginx({ folder, durable: false }, http)),
    createHaproxy: (config) =>
      own((launcher, folder) => launcher.haproxy({ folder, durable: false }, config)),
    createPgbouncer: (settings) =>
      own((launcher, folder) => launcher.pgbouncer({ folder, durable: false }, settings)),
    createPrometheus: (config) =>
      own((launcher, folder) => launcher.prometheus({ folder, durable: false }, config)),
  };
}

type SharedServers = Pick<RealServers, 'adminDatabaseUrl' | 'redisUrl' | 'rabbitmqUrl'>;

let sharedServers: Promise<SharedServers> | undefined;
let launching: { guard: Guard; launcher: Launcher } | undefined;

// One a process. Its watchdog notices the end of this process, so nobody needs to call close().
export function ownLauncher(): { guard: Guard; launcher: Launcher } {
  if (!launching) {
    const guard = createGuard();
    launching = { guard, launcher: createLauncher(guard, findBinaries()) };
  }
  return launching;
}

async function findSharedServers(): Promise<SharedServers> {
  const { CONFAB_TEST_DATABASE_URL, CONFAB_TEST_REDIS_URL, CONFAB_TEST_RABBITMQ_URL } = process.env;
  if (CONFAB_TEST_DATABASE_URL && CONFAB_TEST_REDIS_URL && CONFAB_TEST_RABBITMQ_URL)
    return {
      adminDatabaseUrl: CONFAB_TEST_DATABASE_URL,
      redisUrl: CONFAB_TEST_REDIS_URL,
      rabbitmqUrl: CONFAB_TEST_RABBITMQ_URL,
    };
  const { guard } = ownLauncher();
  const folder = await guard.temporaryFolder('confab-test-');
  const trio = await startServers({ guard, folder, print: console.log, durable: false });
  return {
    adminDatabaseUrl: trio.postgres.url,
    redisUrl: trio.redis.url,
    rabbitmqUrl: trio.rabbitmq.url,
  };
}
