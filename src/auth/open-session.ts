import type { Database } from '../db/database.ts';
import { ChatError } from '../shared/errors.ts';

export interface NewSession {
  sessionId: string;
  userId: string;
  seconds: number;
  /** Of a session that can be refreshed. */
  refreshTokenHash?: string;
  addressHash?: string;
}

export type OpenSession = (session: NewSession) => Promise<void>;

// The lock is for whoever deactivates the user at this moment: they see this session, or it sees them.
const openSql = `WITH active AS (
  SELECT id FROM users WHERE id = $2::uuid AND deactivated_at IS NULL FOR SHARE
),
session AS (
  INSERT INTO sessions (id, user_id, expires_at, address_hash)
  SELECT $1::uuid, id, now() + $3::int * interval '1 second', $5::text FROM active
  RETURNING id
),
line AS (
  INSERT INTO refresh_tokens (token_hash, session_id, counter) SELECT $4::text, id, 0 FROM session WHERE $4::text IS NOT NULL
)
SELECT id FROM session`;
// Each new one clears a few that ended long ago, so nothing needs to come by for them.
const clearSql = `DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions WHERE expires_at < now() - interval '1 day' ORDER BY expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
)`;

/** @throws ChatError `user_deactivated`, `database_unavailable` */
export function createOpenSession(database: Database): OpenSession {
  return async ({ sessionId, userId, seconds, refreshTokenHash, addressHash }) => {
    await database.query(clearSql, []);
    const parameters = [sessionId, userId, seconds, refreshTokenHash ?? null, addressHash ?? null];
    if ((await database.query(openSql, parameters)).length === 0) throw new ChatError('user_deactivated');
  };
}
