import type { Database } from '../db/database.ts';
import type { RateLimits } from '../shared/admission/admission.ts';
import type { TokenPair } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import type { Passwords } from './passwords.ts';
import { hashRefreshToken, newRefreshToken } from './refresh-token.ts';
import type { OwnTokens } from './tokens.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface LoginDependencies {
  database: Database;
  passwords: Passwords;
  tokens: OwnTokens;
  rateLimits: RateLimits;
  refreshTtlSeconds: number;
}

/** The email in lower case. */
export type Login = (input: { email: string; password: string }) => Promise<TokenPair>;

/** Points of `RATE_LIMIT_LOGIN`, for one email: an attempt takes one, a wrong password ten in all. */
const wrongPasswordPoints = 10;

const findSql = `SELECT ${userColumns}, password_hash AS "passwordHash" FROM users WHERE email = $1`;
const openSessionSql = `WITH session AS (
  INSERT INTO sessions (id, user_id, expires_at) VALUES ($1::uuid, $2::uuid, now() + $3::int * interval '1 second')
  RETURNING id
)
INSERT INTO refresh_tokens (token_hash, session_id) SELECT $4, id FROM session`;
// Each login clears a few that ended long ago, so nothing needs to come by for them.
const clearSql = `DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions WHERE expires_at < now() - interval '1 day' ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
)`;

export function createLogin({
  database,
  passwords,
  tokens,
  rateLimits,
  refreshTtlSeconds,
}: LoginDependencies): Login {
  /** Refuses before the password is looked at, once too many were wrong: else the right one would still be found. */
  const takePoints = (email: string, points: number) =>
    rateLimits.consume(
      Array.from({ length: points }, () => ({ limit: 'login', key: `email:${email}` }) as const),
    );

  async function noteWrongPassword(email: string): Promise<void> {
    try {
      await takePoints(email, wrongPasswordPoints - 1);
    } catch (error) {
      // It is the next attempt that is refused.
      if (!(error instanceof ChatError && error.code === 'rate_limited')) throw error;
    }
  }

  /** @throws ChatError `bad_credentials`, `rate_limited`, `server_busy`, `database_unavailable` */
  return async ({ email, password }) => {
    await takePoints(email, 1);
    const [row] = await database.query<UserRow & { passwordHash: string | null }>(findSql, [email]);
    if (!(await passwords.verify(password, row?.passwordHash)) || !row) {
      await noteWrongPassword(email);
      throw new ChatError('bad_credentials');
    }

    const sessionId = newId();
    const refreshToken = newRefreshToken();
    await database.query(clearSql, []);
    await database.query(openSessionSql, [
      sessionId,
      row.id,
      refreshTtlSeconds,
      hashRefreshToken(refreshToken),
    ]);
    return {
      accessToken: await tokens.sign({ userId: row.id, sessionId }),
      refreshToken,
      tokenType: 'Bearer',
      expiresIn: tokens.accessTtlSeconds,
      user: toUser(row, row.id),
    };
  };
}
