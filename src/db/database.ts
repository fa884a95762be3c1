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
   * on the server with this driver). A comment before it is its name (`measured.ts`).
   * @throws ChatError `database_unavailable` when there is no answer within 5 s or no connection
   */
  query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]>;
  /**
   * A statement like those of `query` whose one row has one column of text, for what goes to a client as it is: made a
   * string and bytes again, a page of history cost the api a sixth more (bench/history.ts).
   * @returns UTF-8; undefined where there is no row
   */
  queryText(text: string, parameters: readonly unknown[]): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Runs `work` while nobody else does so under the same key, in whichever process, and gives it the same database on
   * connections of its own, on which nobody is missed who is silent for long: for migrations.
   * @param options.onWait called when somebody else is at it
   */
  alone<Result>(
    options: { key: number; onWait?: (() => void) | undefined },
    work: (patient: Database) => Promise<Result>,
  ): Promise<Result>;
  close(): Promise<void>;
}

/** SQL for a `timestamptz` as the contract shows it: ISO 8601, UTC, milliseconds. */
export const iso = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
