import type { Database } from '../db/database.ts';
import { networkOf } from '../shared/client-address.ts';
import type { TokenPair } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { RateLimits, Take } from '../shared/ports/admission.ts';
import type { AnnounceRevoked } from './announce-revoked.ts';
import { hashRefreshToken, isOpaque, type RefreshToken, type RefreshTokens } from './refresh-token.ts';
import type { OwnTokens } from './tokens.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface RefreshDependencies {
  database: Database;
  tokens: OwnTokens;
  refreshTokens: RefreshTokens;
  announceRevoked: AnnounceRevoked;
  rateLimits: RateLimits;
  refreshTtlSeconds: number;
  sessionMaxTtlSeconds: number;
  /** Told of a token that is somebody's copy. */
  onReuse(): void;
}

/** `address`: the client's, for tokens that are none. */
export type Refresh = (input: { refreshToken: string; address: string }) => Promise<TokenPair>;

/** A lost answer, or another tab with the same token: as long as this the exchange is given again. */
const again = `interval '10 seconds'`;
/** Others may exchange the same token at the same moment; the second look finds what they made of it. */
const mostLooks = 5;

const stateColumns = `s.id AS "sessionId", s.revoked_at IS NOT NULL AS ended,
  s.expires_at <= now() OR s.created_at <= now() - $2::int * interval '1 second' AS expired`;

// Nearly always one line. Tokens without a counter leave one for each tab that exchanged its own.
const linesSql = `SELECT ${stateColumns}, t.token_hash AS "tokenHash", t.counter,
  t.created_at > clock_timestamp() - ${again} AS recent,
  t.used_at <= clock_timestamp() - ${again} AS reused, ${userColumns}
FROM sessions s JOIN users ON users.id = s.user_id
LEFT JOIN refresh_tokens t ON t.session_id = s.id AND t.counter IS NOT NULL
WHERE s.id = $1::uuid`;

const opaqueSql = `SELECT ${stateColumns}, t.used_at IS NOT NULL AS used,
  t.used_at <= clock_timestamp() - ${again} AS reused, ${userColumns}
FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id JOIN users ON users.id = s.user_id
WHERE t.token_hash = $1 AND t.counter IS NULL`;

/**
 * Every exchange moves the session's end: who comes back within the refresh time stays signed in, until the session is as old
 * as one may be. Tokens that the session has not seen for as long as that time are forgotten: they have expired.
 */
const moved = (from: string, kept: string) => `moved AS (
  UPDATE sessions s
  SET expires_at = least(now() + $3::int * interval '1 second', s.created_at + $4::int * interval '1 second')
  FROM ${from} WHERE s.id = ${from}.session_id AND s.revoked_at IS NULL
), forgotten AS (
  DELETE FROM refresh_tokens t USING ${from}
  WHERE t.session_id = ${from}.session_id AND t.token_hash NOT IN (${kept})
    AND greatest(t.created_at, t.used_at) < now() - $3::int * interval '1 second'
) SELECT session_id FROM ${from}`;

/** The row's lock decides between those who come at once: to the others it has another hash already. */
const moveOnSql = `WITH line AS (
  UPDATE refresh_tokens SET token_hash = $2, counter = $5::int, created_at = clock_timestamp(), used_at = NULL
  WHERE token_hash = $1 RETURNING session_id
), ${moved('line', '$1, $2')}`;

/** `$5`: whether it is known to be used, at a process of the version before, which made something else of it. */
const openLineSql = `WITH opaque AS (
  UPDATE refresh_tokens SET used_at = coalesce(used_at, clock_timestamp())
  WHERE token_hash = $1 AND counter IS NULL AND (used_at IS NOT NULL) = $5::boolean RETURNING session_id
), opened AS (
  INSERT INTO refresh_tokens (token_hash, session_id, counter) SELECT $2, session_id, 0 FROM opaque
  ON CONFLICT DO NOTHING
), ${moved('opaque', '$1, $2')}`;

const endSql = `UPDATE sessions SET revoked_at = now() WHERE id = $1::uuid AND revoked_at IS NULL`;

interface SessionState extends UserRow {
  sessionId: string;
  ended: boolean;
  expired: boolean;
  reused: boolean | null;
}

interface LineRow extends SessionState {
  tokenHash: string | null;
  counter: number | null;
  recent: boolean | null;
}

interface Line extends LineRow {
  tokenHash: string;
  counter: number;
}

/** What a look at the session said: the token to give, or that the token is somebody else's, or to look again. */
type Exchange = { next: string; of: SessionState } | { reusedIn: SessionState } | 'again';

export function createRefresh(deps: RefreshDependencies): Refresh {
  const { database, tokens, refreshTokens, announceRevoked, rateLimits } = deps;
  const ages = [deps.refreshTtlSeconds, deps.sessionMaxTtlSeconds];

  const linesOf = (sessionId: string) =>
    database.query<LineRow>(linesSql, [sessionId, deps.sessionMaxTtlSeconds]);

  /** The line that a seed belongs to. The key alone, which the database has, opens none: the newest token's hash is wanted. */
  function lineOf(rows: readonly LineRow[], { sessionId, seed }: Omit<RefreshToken, 'counter'>) {
    return rows.find(
      (row): row is Line =>
        row.counter !== null &&
        hashRefreshToken(refreshTokens.write({ sessionId, counter: row.counter, seed })) === row.tokenHash,
    );
  }

  /**
   * The newest is exchanged; the one before it, for 10 s, gives the newest again. An older one is somebody's copy. One that
   * is newer than the newest is of a database that was restored to an older state, and goes on.
   */
  async function moveOn(token: RefreshToken): Promise<Exchange> {
    const line = lineOf(await linesOf(token.sessionId), token);
    if (!line) throw new ChatError('refresh_invalid');
    assertAlive(line);
    const { sessionId, seed } = token;
    const again = token.counter === line.counter - 1 && line.recent;
    if (again) return { next: refreshTokens.write({ sessionId, counter: line.counter, seed }), of: line };
    if (token.counter < line.counter || line.reused) return { reusedIn: line };

    const counter = token.counter + 1;
    const next = refreshTokens.write({ sessionId, counter, seed });
    const parameters = [line.tokenHash, hashRefreshToken(next), ...ages, counter];
    const moved = await database.query(moveOnSql, parameters);
    return moved.length > 0 ? { next, of: line } : 'again';
  }

  /** The first exchange opens a line, whose first token is given again for 10 s; later the token is somebody's copy. */
  async function openLine(opaque: string): Promise<Exchange> {
    const hash = hashRefreshToken(opaque);
    const [found] = await database.query<SessionState & { used: boolean }>(opaqueSql, [hash, ages[1]]);
    if (!found) throw new ChatError('refresh_invalid');
    assertAlive(found);
    if (found.reused) return { reusedIn: found };

    const first = { sessionId: found.sessionId, counter: 0, seed: refreshTokens.seedAfter(opaque) };
    const next = refreshTokens.write(first);
    const line = found.used && lineOf(await linesOf(found.sessionId), first);
    if (line) return line.counter === 0 ? { next, of: found } : { reusedIn: found };
    const opened = await database.query(openLineSql, [hash, hashRefreshToken(next), ...ages, found.used]);
    return opened.length > 0 ? { next, of: found } : 'again';
  }

  async function exchange(look: () => Promise<Exchange>): Promise<TokenPair> {
    for (let looks = 0; looks < mostLooks; looks += 1) {
      const made = await look();
      if (made === 'again') continue;
      if ('reusedIn' in made) {
        deps.onReuse();
        const { sessionId, id: userId } = made.reusedIn;
        await database.query(endSql, [sessionId]);
        await announceRevoked({ userId, sessionId });
        throw new ChatError('session_revoked');
      }
      const { sessionId } = made.of;
      return {
        accessToken: await tokens.sign({ userId: made.of.id, sessionId }),
        refreshToken: made.next,
        tokenType: 'Bearer',
        expiresIn: tokens.accessTtlSeconds,
        user: toUser(made.of, made.of.id),
      };
    }
    throw new ChatError('server_busy');
  }

  /**
   * @throws ChatError `refresh_invalid` for a token that is not known or has expired, `session_revoked` when its session
   * was logged out, or ends now because the token was used again; `rate_limited`, `server_busy`, `database_unavailable`
   */
  return async ({ refreshToken, address }) => {
    const token = refreshTokens.read(refreshToken);
    if (token) {
      // Its session's own: what others do behind the same address is nothing to it.
      await rateLimits.consume([{ limit: 'user', key: `session:${token.sessionId}` }]);
      return exchange(() => moveOn(token));
    }
    const ofAddress: Take[] = [
      { limit: 'address', key: address },
      { limit: 'login', key: `refresh:${networkOf(address)}` },
    ];
    await rateLimits.consume(ofAddress);
    if (!isOpaque(refreshToken)) throw new ChatError('refresh_invalid');
    const pair = await exchange(() => openLine(refreshToken));
    await rateLimits.giveBack(ofAddress);
    return pair;
  };
}

/** @throws ChatError `session_revoked`, `refresh_invalid` */
function assertAlive({ ended, expired }: SessionState): void {
  if (ended) throw new ChatError('session_revoked');
  if (expired) throw new ChatError('refresh_invalid');
}
