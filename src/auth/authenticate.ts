import type { Database } from '../db/database.ts';
import { ChatError } from '../shared/errors.ts';
import type { Fact, FactAnswer, Facts } from '../shared/ports/admission.ts';

/** Who a token speaks for. */
export interface Identity {
  userId: string;
  /** Undefined for tokens of an outside identity provider, whose sessions are not ours, and for whom a host acts as. */
  sessionId: string | undefined;
  /** Epoch seconds. */
  expiresAt: number;
}

/**
 * Signature and claims, with no look at the session; an outside identity provider's user is looked up, or made.
 * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `database_unavailable`
 */
export type VerifyToken = (token: string | undefined) => Promise<Identity>;

/**
 * Asks, in one round trip, whether the identity's session is alive, or its user active where the session is not ours, and for
 * the facts wanted beside it; what is not known is looked up in PostgreSQL and filled.
 * @throws ChatError `session_revoked`, `user_not_found`, `user_deactivated`, `database_unavailable`
 */
export type Admit = (identity: Identity, wanted: readonly Fact[]) => Promise<FactAnswer[]>;

/** Who is deactivated has no session that is alive. */
const aliveSql = `/* session */ SELECT 1 FROM sessions
WHERE id = $1::uuid AND user_id = $2::uuid AND revoked_at IS NULL AND expires_at > now()`;
const activeSql = `SELECT deactivated_at IS NULL AS active FROM users WHERE id = $1::uuid`;

/** @param deps.facts positive facts alone are believed; whatever they do not know, PostgreSQL does */
export function createAdmit({ database, facts }: { database: Database; facts: Facts }): Admit {
  async function assertAdmitted({ userId, sessionId }: Identity): Promise<void> {
    if (sessionId !== undefined) {
      const rows = await database.query(aliveSql, [sessionId, userId]);
      if (rows.length === 0) throw new ChatError('session_revoked');
      return;
    }
    const [user] = await database.query<{ active: boolean }>(activeSql, [userId]);
    if (!user) throw new ChatError('user_not_found');
    if (!user.active) throw new ChatError('user_deactivated');
  }

  return async (identity, wanted) => {
    const { userId, sessionId } = identity;
    const own: Fact = sessionId === undefined ? `user:${userId}` : `session:${sessionId}`;
    const [admitted, ...answers] = await facts.read([own, ...wanted]);
    // Of what is said to be revoked, too, PostgreSQL has the last word: Redis forbids nothing.
    if (admitted !== true) {
      await assertAdmitted(identity);
      void facts.fill([own]);
    }
    return answers;
  };
}
