import type { Database } from '../db/database.ts';
import type { AuditOf } from '../shared/audit.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import type { AnnounceRevoked } from './announce-revoked.ts';

export interface Activation {
  /** Ends all of the user's sessions; tokens of an outside provider are refused, too. What they wrote stays. */
  deactivate(userId: string, audit: AuditOf): Promise<void>;
  /** The user may sign in again. */
  reactivate(userId: string, audit: AuditOf): Promise<void>;
}

const deactivateSql = `UPDATE users SET deactivated_at = coalesce(deactivated_at, now()) WHERE id = $1::uuid RETURNING 1`;
const reactivateSql = `UPDATE users SET deactivated_at = NULL WHERE id = $1::uuid RETURNING 1`;
// Those of the last minute, too: it is repeated where an answer was lost, and their facts may still be believed.
const endSql = `UPDATE sessions SET revoked_at = coalesce(revoked_at, now())
WHERE user_id = $1::uuid AND expires_at > now() AND coalesce(revoked_at > now() - interval '1 minute', true)
RETURNING id`;

/** Both may be repeated. @throws ChatError `user_not_found`, `database_unavailable` */
export function createActivation({
  database,
  facts,
  announceRevoked,
}: {
  database: Database;
  facts: Facts;
  announceRevoked: AnnounceRevoked;
}): Activation {
  async function set(sql: string, userId: string): Promise<void> {
    if ((await database.query(sql, [userId])).length === 0) throw new ChatError('user_not_found');
  }

  return {
    async deactivate(userId, audit) {
      // First: from here on no session is opened.
      await set(deactivateSql, userId);
      audit('user.deactivated', { userId });
      const ended = await database.query<{ id: string }>(endSql, [userId]);
      await announceRevoked({ userId, sessionIds: ended.map(({ id }) => id) });
    },
    async reactivate(userId, audit) {
      await set(reactivateSql, userId);
      audit('user.reactivated', { userId });
      await facts.restore([`user:${userId}`]);
    },
  };
}
