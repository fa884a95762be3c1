import type { Database } from '../db/database.ts';
import type { AuditOf } from '../shared/audit.ts';
import { networkOf } from '../shared/client-address.ts';
import type { TokenPair } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import type { RateLimits, Take } from '../shared/ports/admission.ts';
import type { OpenSession } from './open-session.ts';
import type { Passwords } from './passwords.ts';
import { hashRefreshToken, newSeed, type RefreshTokens } from './refresh-token.ts';
import type { OwnTokens } from './tokens.ts';
import { toUser, type UserRow, userColumns } from './user-row.ts';

export interface LoginDependencies {
  database: Database;
  openSession: OpenSession;
  passwords: Passwords;
  tokens: OwnTokens;
  refreshTokens: RefreshTokens;
  /** Of addresses, as sessions keep them. */
  privateName(address: string): string;
  rateLimits: RateLimits;
  /** Points of the limits `login` and `guesses`. */
  limits: { login: number; guesses: number };
  refreshTtlSeconds: number;
  sessionMaxTtlSeconds: number;
}

/** The email in lower case; the address as `limitedAddress` gives it. */
export type Login = (input: {
  email: string;
  password: string;
  address: string;
  audit: AuditOf;
}) => Promise<TokenPair>;

/** Points of `RATE_LIMIT_LOGIN` that a wrong password takes, of one email from one address; a right one takes one. */
const wrongPasswordPoints = 10;
/** How much longer each further guess at an email makes strangers wait, and how long at most: no request takes 5 s. */
const [slowerByMs, slowestMs] = [20, 1_500];

// Where a session was opened before, as long as its row is kept, its user is known.
const findSql = `SELECT ${userColumns}, password_hash AS "passwordHash",
  EXISTS (SELECT 1 FROM sessions WHERE user_id = users.id AND address_hash = $2) AS known
FROM users WHERE email = $1`;

interface LoginRow extends UserRow {
  passwordHash: string | null;
  known: boolean;
}

/**
 * Who guesses is held up, and nobody else. An email from one address has six attempts a minute, whoever asks at the same
 * moment: they are taken before the password is looked at, and given back where it was right. An email alone is never shut:
 * when many guess at it, strangers wait, and who has signed in from this address before does not. Nor is such a one
 * held up by what others behind the address do.
 */
export function createLogin(deps: LoginDependencies): Login {
  const { database, openSession, passwords, tokens, refreshTokens, privateName, rateLimits, limits } = deps;
  const sessionSeconds = Math.min(deps.refreshTtlSeconds, deps.sessionMaxTtlSeconds);

  const attemptPoints = Math.min(wrongPasswordPoints, limits.login);

  const attemptOf = (email: string, from: string): Take => ({
    limit: 'login',
    key: `attempt:${email} from ${from}`,
    points: attemptPoints,
  });

  /** @throws ChatError `rate_limited` */
  async function holdUpStranger(email: string, address: string, taken: Take[]): Promise<void> {
    const network = networkOf(address);
    const takes: Take[] = [
      { limit: 'address', key: address },
      { limit: 'login', key: `strangers:${network}` },
    ];
    if (network !== address) takes.push(attemptOf(email, network));
    await rateLimits.consume(takes);
    const guess: Take = { limit: 'guesses', key: email };
    const beyond = (await rateLimits.count(guess)) - limits.guesses;
    taken.push(...takes, guess);
    if (beyond > 0) await Bun.sleep(Math.min(beyond * slowerByMs, slowestMs));
  }

  /** @param taken gets what is to be given back if the password is right, or is not looked at */
  async function find(email: string, password: string, address: string, taken: Take[]) {
    const [row] = await database.query<LoginRow>(findSql, [email, privateName(address)]);
    const network = networkOf(address);
    if (!row?.known) await holdUpStranger(email, address, taken);
    const asker = row?.known
      ? { member: `${row.id} ${address}`, group: `known ${network}`, known: true }
      : { member: address, group: network, known: false };
    return { row, right: await passwords.verify(password, row?.passwordHash, asker) };
  }

  async function signIn(userId: string, sessionId: string, address: string) {
    const refreshToken = refreshTokens.write({ sessionId, counter: 0, seed: newSeed() });
    await openSession({
      ...{ sessionId, userId, seconds: sessionSeconds },
      refreshTokenHash: hashRefreshToken(refreshToken),
      addressHash: privateName(address),
    });
    return { accessToken: await tokens.sign({ userId, sessionId }), refreshToken };
  }

  /** @throws ChatError `bad_credentials`, `user_deactivated`, `rate_limited`, `server_busy`, `database_unavailable` */
  return async ({ email, password, address, audit }) => {
    const attempt = attemptOf(email, address);
    await rateLimits.consume([attempt]);
    const taken = [{ ...attempt, points: attemptPoints - 1 }];
    let found: { row: LoginRow | undefined; right: boolean } | undefined;
    try {
      found = await find(email, password, address, taken);
    } finally {
      if (found?.right !== false) await rateLimits.giveBack(taken);
    }
    const { row: user, right } = found;
    const failed = (reason: 'bad_credentials' | 'user_deactivated') =>
      audit('login.failed', { reason, ...(user ? { userId: user.id } : {}) });
    if (!user || !right) {
      failed('bad_credentials');
      throw new ChatError('bad_credentials');
    }

    const sessionId = newId();
    const signedIn = await signIn(user.id, sessionId, address).catch((error) => {
      if (error instanceof ChatError && error.code === 'user_deactivated') failed(error.code);
      throw error;
    });
    audit('login.succeeded', { userId: user.id, sessionId });
    return {
      ...signedIn,
      tokenType: 'Bearer',
      expiresIn: tokens.accessTtlSeconds,
      user: toUser(user, user.id),
    };
  };
}
