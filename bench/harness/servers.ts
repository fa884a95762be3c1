import amqplib from 'amqplib';
import postgres from 'postgres';
import {
  type BrokerNames,
  createBrokerNames,
  createDatabase,
  serverEnvironment,
  startServers,
} from '../../harness/servers.ts';
import { createGuard, type Guard } from '../../src/commands/servers/guard.ts';
import { stopTrio, type Trio } from '../../src/commands/servers/launcher.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';

/**
 * Private servers for all paths. They are as safe as in production: PostgreSQL with `fsync` and `synchronous_commit` on, quorum
 * queues. No demand is met by promising less.
 */
export interface BenchServers extends Trio {
  readonly guard: Guard;
  /** For what a path writes: scripts, logs. */
  readonly folder: string;
  /** An empty, migrated database of its own. */
  createDatabase(): Promise<BenchDatabase>;
  /** The environment of a Confab process on these servers, with names on broker and Redis that nobody else uses. */
  environment(database: BenchDatabase): Environment;
  /** The path of one of PostgreSQL's own programs. */
  postgresProgram(name: 'pgbench' | 'psql'): string;
  close(): Promise<void>;
}

export interface BenchDatabase {
  url: string;
  sql: postgres.Sql;
  drop(): Promise<void>;
}

export type Environment = Record<string, string> &
  BrokerNames &
  ReturnType<typeof serverEnvironment> & { JWT_SECRET: string };

/** Partitions of everything here. */
export const partitionCount = 8;

export async function startBenchServers(print: (line: string) => void): Promise<BenchServers> {
  const guard = createGuard();
  const folder = await guard.temporaryFolder('confab-bench-');
  const trio = await startServers({ guard, folder, print, durable: true });

  return {
    ...trio,
    guard,
    folder,

    async createDatabase() {
      const { url, drop } = await createDatabase(trio.postgres.url);
      const database = openPostgres({ url, applicationName: 'confab bench', maxConnections: 1 });
      await migrate(database);
      await database.close();
      const sql = postgres(url, { max: 2, onnotice: () => {} });
      return {
        url,
        sql,
        async drop() {
          await sql.end({ timeout: 1 });
          await drop();
        },
      };
    },

    environment(database) {
      return {
        ...serverEnvironment({
          database: database.url,
          redis: trio.redis.url,
          rabbitmq: trio.rabbitmq.url,
        }),
        ...createBrokerNames(),
        RABBITMQ_CHAT_PARTITION_COUNT: String(partitionCount),
        JWT_SECRET: 'a secret of the bench, of more than 32 bytes',
        NODE_ENV: 'production',
        SHUTDOWN_DELAY: '0',
        LOG_LEVEL: 'warn',
        // Counted at every request as in production, and never reached.
        RATE_LIMIT_USER: '1000000',
        RATE_LIMIT_READ: '1000000',
        RATE_LIMIT_TYPING: '1000000',
        RATE_LIMIT_ADDRESS: '1000000',
        RATE_LIMIT_CONNECT: '1000000',
        MAX_SOCKETS_PER_USER: '1000000',
      };
    },

    postgresProgram(name) {
      const path = Bun.which(name);
      if (path === null) {
        throw new Error(
          `${name} is needed for the floor and is not on the PATH (Debian: postgresql-client-common).`,
        );
      }
      return path;
    },

    async close() {
      await stopTrio(trio);
      await guard.close();
    },
  };
}

/** Empties the partitions. */
export async function purgeQueues(environment: Environment): Promise<void> {
  const connection = await amqplib.connect(environment.RABBITMQ_URI);
  const channel = await connection.createChannel();
  for (let partition = 0; partition < partitionCount; partition += 1) {
    await channel.purgeQueue(`${environment.RABBITMQ_CHAT_QUEUE_PREFIX}.p${partition}`);
  }
  await connection.close();
}
