import type { Database } from '../db/database.ts';
import type { ChangeKinds } from './kind.ts';
import { chatOfEach, distinctKinds, rangesOf } from './ranges.ts';
import type { ChangesWanted } from './read-changes.ts';

/**
 * How many rows there are to tell of each chat, counted no further than `most`. Numbers say no more than that there are no more
 * rows than numbers: what changed again and again is one row.
 * @returns in the order of `wanted`, of distinct pairs
 */
export type CountChanges = (wanted: readonly ChangesWanted[], most: number) => Promise<number[]>;

const countSql = (ranges: string) => `SELECT (
  SELECT count(*)::int FROM (
    SELECT FROM (${ranges}) any_kind LIMIT $3::int
  ) counted
) AS rows
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS w (chat_id, after, ord)
LEFT JOIN LATERAL (${chatOfEach}) c ON true
ORDER BY w.ord`;

export function createCountChanges(ofEvents: ChangeKinds, database: Database): CountChanges {
  const sql = countSql(rangesOf(distinctKinds(ofEvents)));
  return async (wanted, most) => {
    const rows = await database.query<{ rows: number }>(sql, [
      wanted.map(({ chatId }) => chatId),
      wanted.map(({ after }) => after),
      most,
    ]);
    return rows.map(({ rows }) => rows);
  };
}
