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
