import type { Database } from '../db/database.ts';
import { ChatError } from '../shared/errors.ts';
import type { Fact, FactAnswer, Facts } from '../shared/ports/admission.ts';

/** Who a token speaks for. */
export interface Identity {
  userId: string;
  /** Undefined for tokens of an outside identity provider: their sessions are not ours. */
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
 * Asks, in one round trip, whether the identity's session is alive and for the facts wanted beside it; a session that is
 * not known is looked up in PostgreSQL and filled.
 * @throws ChatError `session_revoked`, `database_unavailable`
 */
export type Admit = (identity: Identity, wanted: readonly Fact[]) => Promise<FactAnswer[]>;

const aliveSql = `SELECT 1 FROM sessions
WHERE id = $1::uuid AND user_id = $2::uuid AND revoked_at IS NULL AND expires_at > now()`;

/** @param deps.facts positive facts alone are believed; whatever they do not know, PostgreSQL does */
export function createAdmit({ database, facts }: { database: Database; facts: Facts }): Admit {
  return async (identity, wanted) => {
    if (identity.sessionId === undefined) return wanted.length === 0 ? [] : facts.read(wanted);

    const session = `session:${identity.sessionId}` as const;
    const [alive, ...answers] = await facts.read([session, ...wanted]);
    // Of a session said to be revoked, too, PostgreSQL has the last word: Redis forbids nothing.
    if (alive !== true) {
      const rows = await database.query(aliveSql, [identity.sessionId, identity.userId]);
      if (rows.length === 0) throw new ChatError('session_revoked');
      void facts.fill([session]);
    }
    return answers;
  };
}
