import type { Database } from '../../src/db/database.ts';

/** As workers beat when there was a table of workers alone, to the letter. */
const beatSql = `WITH beat AS (
  INSERT INTO workers (id, seen_at) VALUES ($1::uuid, now())
  ON CONFLICT (id) DO UPDATE SET seen_at = now()
), forgotten AS (
  DELETE FROM workers WHERE seen_at < now() - interval '1 minute' AND id <> $1::uuid
)
SELECT id::text FROM workers WHERE seen_at > now() - interval '6000 milliseconds' AND id <> $1::uuid
UNION ALL SELECT $1::uuid::text`;
const leaveSql = `DELETE FROM workers WHERE id = $1::uuid`;

export function workersOfBefore(database: Database) {
  return {
    async beat(workerId: string): Promise<string[]> {
      const rows = await database.query<{ id: string }>(beatSql, [workerId]);
      return rows.map(({ id }) => id);
    },
    async leave(workerId: string): Promise<void> {
      await database.query(leaveSql, [workerId]);
    },
  };
}

/** The name at PostgreSQL of the apis that did not sign. */
export const unsigningApi = 'confab-api';

/** As workers store and apis read a page of history since the first version, to the letter of what touches tables. */
export const storeSqlOfBefore = `SELECT outcome, sequence, event_sequence AS "eventSequence"
FROM store_messages($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[]::timestamptz[])`;
export const historySqlOfBefore = `SELECT page.*
FROM chats c
JOIN chat_participants me ON me.chat_id = c.id AND me.user_id = $2::uuid AND me.left_at IS NULL
CROSS JOIN LATERAL (
  SELECT coalesce(min(near.sequence), 0) AS first, c.last_sequence AS last, count(*)::int AS messages
  FROM (
    SELECT m.*
    FROM messages m
    WHERE m.chat_id = $1::uuid AND m.sequence < $3::bigint
    ORDER BY m.sequence DESC
    LIMIT $4::int
  ) near
) page
WHERE c.id = $1::uuid`;
