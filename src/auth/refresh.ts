import type { Database } from '../db/database.ts';
import type { TokenPair } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { AnnounceRevoked } from './announce-revoked.ts';
import { hashRefreshToken, newRefreshToken } from './refresh-token.ts';
import type { OwnTokens } from './tokens.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface RefreshDependencies {
  database: Database;
  tokens: OwnTokens;
  announceRevoked: AnnounceRevoked;
  refreshTtlSeconds: number;
}

export type Refresh = (input: { refreshToken: string }) => Promise<TokenPair>;

/**
 * A token is exchanged for a new pair. Used again within 10 s (two tabs, a lost answer) it gets a pair of its own, of the
 * same session; later than that somebody else has it, and the session ends for both. The UPDATE takes the token's row
 * lock and looks again after it, so all who come at once agree on the first use. Every refresh moves the session's end:
 * who comes back within the refresh time stays signed in. A session that lives for years keeps no token that is older than
 * that: it is not known any more, like one that has expired.
 */
const exchangeSql = `WITH used AS (
  UPDATE refresh_tokens SET used_at = coalesce(used_at, clock_timestamp()) WHERE token_hash = $1
  RETURNING session_id, used_at
), judged AS (
  SELECT s.id, s.user_id,
    CASE
      WHEN s.revoked_at IS NOT NULL THEN 'ended'
      WHEN s.expires_at <= now() THEN 'expired'
      WHEN used.used_at < clock_timestamp() - interval '10 seconds' THEN 'reused'
      ELSE 'good'
    END AS verdict
  FROM used JOIN sessions s ON s.id = used.session_id
), moved AS (
  UPDATE sessions SET
    revoked_at = CASE WHEN verdict = 'reused' THEN now() END,
    expires_at = CASE WHEN verdict = 'good' THEN now() + $3::int * interval '1 second' ELSE expires_at END
  FROM judged
  WHERE sessions.id = judged.id AND sessions.revoked_at IS NULL AND verdict IN ('good', 'reused')
), forgotten AS (
  DELETE FROM refresh_tokens t USING judged
  WHERE verdict = 'good' AND t.session_id = judged.id AND t.token_hash <> $1
    AND greatest(t.created_at, t.used_at) < now() - $3::int * interval '1 second'
), issued AS (
  INSERT INTO refresh_tokens (token_hash, session_id) SELECT $2, id FROM judged WHERE verdict = 'good'
)
SELECT judged.verdict, judged.id AS "sessionId", ${userColumns} FROM judged JOIN users ON users.id = judged.user_id`;

interface Exchange extends UserRow {
  verdict: 'good' | 'expired' | 'ended' | 'reused';
  sessionId: string;
}

export function createRefresh({
  database,
  tokens,
  announceRevoked,
  refreshTtlSeconds,
}: RefreshDependencies): Refresh {
  /**
   * @throws ChatError `refresh_invalid` for a token that is not known or has expired, `session_revoked` when its session
   * was logged out, or ends now because the token was used again; `database_unavailable`
   */
  return async ({ refreshToken }) => {
    const nextToken = newRefreshToken();
    const [exchange] = await database.query<Exchange>(exchangeSql, [
      hashRefreshToken(refreshToken),
      hashRefreshToken(nextToken),
      refreshTtlSeconds,
    ]);
    if (!exchange || exchange.verdict === 'expired') throw new ChatError('refresh_invalid');
    const { verdict, sessionId, ...user } = exchange;
    if (verdict === 'reused') await announceRevoked({ userId: user.id, sessionId });
    if (verdict !== 'good') throw new ChatError('session_revoked');
    return {
      accessToken: await tokens.sign({ userId: user.id, sessionId }),
      refreshToken: nextToken,
      tokenType: 'Bearer',
      expiresIn: tokens.accessTtlSeconds,
      user: toUser(user, user.id),
    };
  };
}
