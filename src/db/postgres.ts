import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { withDeadline } from '../shared/deadline.ts';
import type { Database } from './database.ts';
import { databaseTimeoutMs, databaseUnavailable, isDatabaseUnavailable } from './errors.ts';
import * as schema from './schema.ts';

export interface PostgresOptions {
  url: string;
  /** Shown by PostgreSQL in `pg_stat_activity`. */
  applicationName: string;
  /** 10 where it is not given. */
  maxConnections?: number;
}

/** Connects at the first query and again after every loss. */
export function openPostgres({ url, applicationName, maxConnections = 10 }: PostgresOptions): Database {
  const client = postgres(url, {
    max: maxConnections,
    connect_timeout: 4,
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      statement_timeout: databaseTimeoutMs,
      lock_timeout: databaseTimeoutMs,
      idle_in_transaction_session_timeout: databaseTimeoutMs,
    },
  });
  const noAnswer = () => databaseUnavailable(new Error(`no answer within ${databaseTimeoutMs} ms`));

  return {
    orm: drizzle({ client, schema }),

    async query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]> {
      const running = client.unsafe<Row[]>(text, parameters as never[], { prepare: true });
      try {
        return await withDeadline(Promise.resolve(running), databaseTimeoutMs, noAnswer);
      } catch (error) {
        throw isDatabaseUnavailable(error) ? databaseUnavailable(error) : error;
      }
    },

    close: () => client.end({ timeout: 2 }),
  };
}
