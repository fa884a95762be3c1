import type { Database } from '../../src/db/database.ts';
import type { MessageToStore } from '../../src/db/queries/store-messages.ts';

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

/** As all processes beat before they said what they can load, to the letter. */
const beatOfProcessSql = `WITH self (id, roles, program_version, envelope_version, fingerprints) AS (
  VALUES ($1::uuid, $2::text[], $3::text, $4::int, $5::text::jsonb)
), beat AS (
  INSERT INTO processes (id, seen_at, roles, program_version, envelope_version, fingerprints)
  SELECT id, now(), roles, program_version, envelope_version, fingerprints FROM self
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), roles = excluded.roles, fingerprints = excluded.fingerprints
), forgotten AS (
  DELETE FROM processes WHERE seen_at < now() - interval '1 minute' AND id <> $1::uuid
)
SELECT id::text, to_json(roles) AS roles, program_version AS "programVersion", envelope_version AS "envelopeVersion",
  fingerprints, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "databaseTime"
FROM (
  SELECT id, roles, program_version, envelope_version, fingerprints FROM processes
  WHERE seen_at > now() - interval '6000 milliseconds' AND id <> $1::uuid
  UNION ALL SELECT * FROM self
) live`;

export function processOfBefore(database: Database, role: 'api' | 'worker' | 'gateway') {
  const id = crypto.randomUUID();
  return {
    id,
    /** @returns the ids of all that live */
    async beat(): Promise<string[]> {
      const rows = await database.query<{ id: string }>(beatOfProcessSql, [id, [role], '0.1.0', 1, '{}']);
      return rows.map((row) => row.id);
    },
    leave: () => database.query(`DELETE FROM processes WHERE id = $1::uuid`, [id]),
  };
}

/** As workers stored before messages had extras, to the letter. */
const storeSql = `SELECT outcome, sequence, event_sequence AS "eventSequence"
FROM store_messages($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[]::timestamptz[])`;

/** @returns the outcomes */
export async function storeOfBefore(database: Database, batch: readonly MessageToStore[]): Promise<string[]> {
  const rows = await database.query<{ outcome: string }>(storeSql, [
    batch.map((message) => message.chatId),
    batch.map((message) => message.senderId),
    batch.map((message) => message.brokerMessageId),
    batch.map((message) => message.clientMessageId),
    batch.map((message) => message.content),
    batch.map((message) => message.sentAt),
  ]);
  return rows.map(({ outcome }) => outcome);
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
/** Of their gateways, which write no beat either. */
export const silentGateway = 'confab-gateway';
