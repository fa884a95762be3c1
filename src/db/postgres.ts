import { drizzle } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import { type DatabaseSecrets, parseConnectionString } from '../shared/config/connection-string.ts';
import type { Logger } from '../shared/log.ts';
import { aloneUnder } from './alone.ts';
import { type Connection, pending, type StatementRunner } from './connection.ts';
import { createConnector, type Pooling } from './connector.ts';
import type { Database } from './database.ts';
import { databaseTimeoutMs, reasonOf, toCaller } from './errors.ts';
import { createPool, type PoolLoad } from './pool.ts';
import * as schema from './schema.ts';

export interface PostgresOptions extends DatabaseSecrets {
  /** As of libpq. */
  url: string;
  /** Shown by PostgreSQL in `pg_stat_activity`. */
  applicationName: string;
  /** 10 where it is not given. */
  maxConnections?: number;
  /** How long a connection may be silent after something was asked on it. */
  mostSilentMs?: number;
  /** `session` where it is not given. */
  pooling?: Pooling;
  /** Told when PostgreSQL goes and when it is back. */
  log?: Pick<Logger, 'info' | 'warn'>;
}

export interface PostgresDatabase extends Database {
  load(): PoolLoad;
}

const aDayMs = 24 * 60 * 60 * 1000;

/**
 * Connects at the first query and again after every loss.
 * @throws ConnectionStringError
 */
export function openPostgres(options: PostgresOptions): PostgresDatabase {
  const { url, password, tls, applicationName, pooling = 'session', log } = options;
  const { maxConnections = 10, mostSilentMs = databaseTimeoutMs } = options;
  const connector = createConnector({
    target: parseConnectionString(url, { password, tls }),
    applicationName,
    pooling,
    mostSilentMs,
  });
  const pool = createPool<Connection>({
    open: connector.open,
    most: maxConnections,
    patienceMs: mostSilentMs,
    onAway: (error) => log?.warn({ reason: reasonOf(error) }, `PostgreSQL at ${connector.address} is away`),
    onBack: () => log?.info(`PostgreSQL at ${connector.address} is back`),
  });

  const ask = <Result>(shares: boolean, begin: (connection: Connection) => PromiseLike<unknown>) =>
    new Promise<Result>((resolve, reject) => {
      pool.run({ shares, begin, resolve, reject: (error) => reject(toCaller(error)) });
    });
  /** Its errors are as PostgreSQL gave them: who uses drizzle looks into them. */
  const use = <Result>(begin: (connection: Connection) => Promise<Result>) =>
    new Promise<Result>((resolve, reject) => {
      pool.run({ shares: false, begin, resolve, reject });
    });

  /** drizzle's client: each statement outside of a transaction, and each transaction, gets a connection of the pool. */
  const runner: StatementRunner = {
    options: { parsers: {}, serializers: {} },
    unsafe: (text, parameters, options) =>
      pending((shape) =>
        use(async (connection) => shape(connection.runner.unsafe(text, parameters, options))),
      ),
    begin: (work) => use((connection) => connection.runner.begin(work)),
  };

  return {
    orm: drizzle({ client: runner as unknown as postgres.Sql, schema }),

    query: <Row extends object>(text: string, parameters: readonly unknown[]) =>
      ask<Row[]>(false, ({ client }) => client.unsafe(text, parameters as never[], { prepare: true })),

    async queryText(text, parameters) {
      const [row] = await ask<[Uint8Array<ArrayBuffer>][]>(true, ({ client }) =>
        client.unsafe(text, parameters as never[], { prepare: true }).raw(),
      );
      return row?.[0];
    },

    async alone(alone, work) {
      // One holds the lock, the other works.
      const patient = openPostgres({ ...options, maxConnections: 2, mostSilentMs: aDayMs });
      try {
        return await aloneUnder(alone, patient, () => work(patient));
      } finally {
        await patient.close();
      }
    },

    close: pool.close,
    load: pool.load,
  };
}
