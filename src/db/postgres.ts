import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { fullJitterMs } from '../shared/backoff.ts';
import { createDeadline } from '../shared/deadline.ts';
import { aloneUnder } from './alone.ts';
import { answeringSocket } from './answering-socket.ts';
import type { Database } from './database.ts';
import {
  databaseTimeoutMs,
  databaseUnavailable,
  isConnectionLost,
  isDatabaseUnavailable,
  serverTimeoutMs,
} from './errors.ts';
import * as schema from './schema.ts';

export interface PostgresOptions {
  url: string;
  /** Shown by PostgreSQL in `pg_stat_activity`. */
  applicationName: string;
  /** 10 where it is not given. */
  maxConnections?: number;
  /** How long a connection may be silent after something was asked on it; a little longer than a statement may last. */
  mostSilentMs?: number;
}

const aDayMs = 24 * 60 * 60 * 1000;

/** The options that postgres.js hands to `socket`, which its types do not know. */
interface SocketTarget {
  host: string[];
  port: number[];
  path: string | false;
}

/** Connects at the first query and again after every loss. */
export function openPostgres({
  url,
  applicationName,
  maxConnections = 10,
  mostSilentMs = databaseTimeoutMs + 2_000,
}: PostgresOptions): Database {
  const options = {
    max: maxConnections,
    connect_timeout: 4,
    // Its own goes up to 20 s: so long would PostgreSQL be back unnoticed.
    backoff: (attempt: number) => fullJitterMs(attempt, 50, 1_000) / 1000,
    socket: ({ path, host: [host = 'localhost'], port: [port = 5432] }: SocketTarget) =>
      answeringSocket(path ? { path } : { host, port }, mostSilentMs),
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      statement_timeout: serverTimeoutMs,
      lock_timeout: serverTimeoutMs,
      idle_in_transaction_session_timeout: serverTimeoutMs,
      // Every statement here finds its rows by key. A plan made while a table was empty would scan it until the next
      // ANALYZE, whatever has come since (measured: 29 ms a page of history instead of 0.3).
      enable_seqscan: 'off',
      enable_bitmapscan: 'off',
      // Planned once a session. PostgreSQL would plan anew at each execution where a plan for the very values looks cheaper:
      // for a page of history it always did, which cost more than to read the page (bench/history.ts).
      plan_cache_mode: 'force_generic_plan',
      // For the same reason: on few rows, to merge two tables looks cheaper than to look up each, and stays the plan.
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      // A plan that has to scan all the same looks expensive enough to be compiled.
      jit: 'off',
    },
  };
  const client = postgres(url, options);
  const orm = drizzle({ client, schema });
  const transaction = orm.transaction.bind(orm);
  orm.transaction = (work, config) => transaction((tx) => unlessLost(work(tx)), config);
  const within = createDeadline(databaseTimeoutMs);
  const noAnswer = () => databaseUnavailable(new Error(`no answer within ${databaseTimeoutMs} ms`));

  async function answerOf<Rows>(running: Promise<Rows>): Promise<Rows> {
    try {
      return await within(running, noAnswer);
    } catch (error) {
      throw isDatabaseUnavailable(error) ? databaseUnavailable(error) : error;
    }
  }

  return {
    orm,

    query: <Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]> =>
      answerOf(client.unsafe<Row[]>(text, parameters as never[], { prepare: true })),

    async queryText(text, parameters) {
      const [row] = await answerOf(client.unsafe(text, parameters as never[], { prepare: true }).raw());
      return row?.[0] as Uint8Array<ArrayBuffer> | undefined;
    },

    async alone(options, work) {
      // One holds the lock, the other works.
      const patient = openPostgres({ url, applicationName, maxConnections: 2, mostSilentMs: aDayMs });
      try {
        return await aloneUnder(options, patient, () => work(patient));
      } finally {
        await patient.close();
      }
    },

    close: () => client.end({ timeout: 2 }),
  };
}

/**
 * Without an end when the connection is lost. postgres.js 3.4.9 rejects such a transaction by itself, but would also write a
 * ROLLBACK to the socket that is no more, in a tick of its own, where nobody can catch the TypeError: the process ended.
 */
async function unlessLost<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (isConnectionLost(error)) return new Promise(() => {});
    throw error;
  }
}
