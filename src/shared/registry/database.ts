import type { Database } from '../../db/database.ts';
import { deadAfterMs, type WorkerRegistry } from './registry.ts';

/** Told by the database's clock alone: the workers' own may differ. */
const beatSql = `WITH beat AS (
  INSERT INTO workers (id, seen_at) VALUES ($1::uuid, now())
  ON CONFLICT (id) DO UPDATE SET seen_at = now()
), forgotten AS (
  DELETE FROM workers WHERE seen_at < now() - interval '1 minute' AND id <> $1::uuid
)
SELECT id::text FROM workers WHERE seen_at > now() - interval '${deadAfterMs} milliseconds' AND id <> $1::uuid
UNION ALL SELECT $1::uuid::text`;
const leaveSql = `DELETE FROM workers WHERE id = $1::uuid`;

export function createDatabaseRegistry(database: Database): WorkerRegistry {
  return {
    async beat(workerId) {
      const rows = await database.query<{ id: string }>(beatSql, [workerId]);
      return rows.map(({ id }) => id);
    },
    async leave(workerId) {
      await database.query(leaveSql, [workerId]);
    },
  };
}
