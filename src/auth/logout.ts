import type { Database } from '../db/database.ts';
import type { AuditOf } from '../shared/audit.ts';
import type { AnnounceRevoked } from './announce-revoked.ts';

export type Logout = (session: { userId: string; sessionId: string }, audit: AuditOf) => Promise<void>;

const revokeSql = `UPDATE sessions SET revoked_at = now() WHERE id = $1::uuid AND revoked_at IS NULL`;

export interface LogoutDependencies {
  database: Database;
  announceRevoked: AnnounceRevoked;
}

/** Ends the session: its access and refresh tokens die, its sockets are closed. */
export function createLogout({ database, announceRevoked }: LogoutDependencies): Logout {
  /** @throws ChatError `database_unavailable` */
  return async (session, audit) => {
    await database.query(revokeSql, [session.sessionId]);
    audit('session.ended', session);
    await announceRevoked(session);
  };
}
