import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type * as schema from './schema.ts';

/** drizzle over either driver: for everything that is not on a hot path. */
export type Orm = PgDatabase<PgQueryResultHKT, typeof schema>;

/**
 * PostgreSQL over the wire (`postgres.ts`) or PGlite in the process (`pglite.ts`); one conformance suite holds both.
 * Rows look alike: `int8` is a number, `timestamptz` is a string in PostgreSQL's own form (select what leaves the
 * process through `iso()`), `json` is parsed.
 */
export interface Database {
  orm: Orm;
  /**
   * One statement, prepared on the server under its text: what the hot paths use (drizzle's `prepare()` is not prepared
   * on the server with this driver).
   * @throws ChatError `database_unavailable` when there is no answer within 5 s or no connection
   */
  query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** SQL for a `timestamptz` as the contract shows it: ISO 8601, UTC, milliseconds. */
export const iso = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
