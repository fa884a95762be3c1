import type { Database } from '../../db/database.ts';
import { silentProcesses } from '../../db/queries/silent-processes.ts';
import {
  deadAfterMs,
  kindsOfBefore,
  type LiveProcess,
  type ProcessRegistry,
} from '../../shared/ports/registry.ts';

/** Told by the database's clock alone: the processes' own may differ. */
const beatSql = `/* beat */ WITH self (id, roles, program_version, envelope_version, kinds, fingerprints) AS (
  VALUES ($1::uuid, $2::text[], $3::text, $4::int, $5::text[], $6::text::jsonb)
), beat AS (
  INSERT INTO processes (id, seen_at, roles, program_version, envelope_version, kinds, fingerprints)
  SELECT id, now(), roles, program_version, envelope_version, kinds, fingerprints FROM self
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), roles = excluded.roles, fingerprints = excluded.fingerprints
), forgotten AS (
  DELETE FROM processes WHERE seen_at < now() - interval '1 minute' AND id <> $1::uuid
)
SELECT id::text, to_json(roles) AS roles, program_version AS "programVersion", envelope_version AS "envelopeVersion",
  to_json(kinds) AS kinds, fingerprints, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "databaseTime"
FROM (
  SELECT id, roles, program_version, envelope_version, kinds, fingerprints FROM processes
  WHERE seen_at > now() - interval '${deadAfterMs} milliseconds' AND id <> $1::uuid
  UNION ALL SELECT * FROM self
  -- The last digit tells them apart.
  UNION ALL SELECT ('00000000-0000-0000-0000-00000000000' || CASE name WHEN 'confab-api' THEN 1 ELSE 2 END)::uuid,
    ARRAY[substr(name, 8)], NULL, 1, '{${kindsOfBefore}}', '{}' FROM (${silentProcesses}) silent
) live`;
const leaveSql = `DELETE FROM processes WHERE id = $1::uuid`;

export function createDatabaseRegistry(database: Pick<Database, 'query'>): ProcessRegistry {
  return {
    async beat({ id, roles, programVersion, envelopeVersion, kinds, fingerprints }) {
      const rows = await database.query<LiveProcess & { databaseTime: number }>(beatSql, [
        id,
        [...roles],
        programVersion,
        envelopeVersion,
        [...kinds],
        JSON.stringify(fingerprints),
      ]);
      const live = rows.map(({ databaseTime, ...process }) => process);
      return { live, databaseTime: rows[0]?.databaseTime ?? Number.NaN };
    },
    async leave(id) {
      await database.query(leaveSql, [id]);
    },
  };
}
