import type { Database } from '../db/database.ts';
import type { AuditOf } from '../shared/audit.ts';
import type { MadeToken } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import type { OpenSession } from './open-session.ts';
import type { OwnTokens } from './tokens.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface MakeTokenInput {
  /** One of the two: the id here, or the one at the issuer. */
  userId?: string | undefined;
  externalId?: string | undefined;
  /** Seconds; those of every access token unless given. */
  ttl?: number | undefined;
}

export type MakeToken = (input: MakeTokenInput, audit: AuditOf) => Promise<MadeToken>;

// Two statements: of an OR a plan may read everybody.
const byIdSql = `SELECT ${userColumns} FROM users WHERE id = $1::uuid`;
const byExternalIdSql = `SELECT ${userColumns} FROM users WHERE issuer = $1 AND external_id = $2`;

/**
 * An access token for somebody whom the host has let in, in a session of its own that ends with it.
 * @throws ChatError `user_not_found`, `user_deactivated`, `database_unavailable`
 */
export function createMakeToken({
  database,
  openSession,
  tokens,
  issuer,
}: {
  database: Database;
  openSession: OpenSession;
  tokens: OwnTokens;
  issuer: string;
}): MakeToken {
  return async ({ userId, externalId, ttl = tokens.accessTtlSeconds }, audit) => {
    const [user] =
      userId === undefined
        ? await database.query<UserRow>(byExternalIdSql, [issuer, externalId])
        : await database.query<UserRow>(byIdSql, [userId]);
    if (!user) throw new ChatError('user_not_found');
    const session = { userId: user.id, sessionId: newId() };
    await openSession({ ...session, seconds: ttl });
    audit('token.made', session);
    return {
      accessToken: await tokens.sign({ ...session, ttlSeconds: ttl }),
      tokenType: 'Bearer',
      expiresIn: ttl,
      user: toUser(user, user.id),
    };
  };
}
