import type { Database } from '../db/database.ts';
import type { AuthConfig, Config } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { Facts, RateLimits } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import { createPrivateName } from '../shared/private-name.ts';
import { type Activation, createActivation } from './activation.ts';
import { createAnnounceRevoked } from './announce-revoked.ts';
import { type Admit, createAdmit, type VerifyToken } from './authenticate.ts';
import { createLogin, type Login } from './login.ts';
import { createLogout, type Logout } from './logout.ts';
import { createMakeToken, type MakeToken } from './make-token.ts';
import { createOpenSession } from './open-session.ts';
import { createJwksFinder, createPublicKeyFinder, type FindKey } from './outside-keys.ts';
import { createOutsideVerify } from './outside-tokens.ts';
import { createOutsideUsers } from './outside-users.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { createRefresh, type Refresh } from './refresh.ts';
import { createRefreshTokens } from './refresh-token.ts';
import { createRegister, type Register } from './register.ts';
import { rememberVerified } from './remember-verified.ts';
import { createOwnTokens, type OwnTokens } from './tokens.ts';

/** What api and gateway check tokens with: the api each request, the gateway each connect. */
export interface Authentication {
  verify: VerifyToken;
  /** For the api; the gateway asks PostgreSQL for the sessions of many connects at once. */
  admit: Admit;
  /** Undefined with an outside identity provider and no secret of our own beside it. */
  ownTokens: OwnTokens | undefined;
  /** Whether people sign in elsewhere. */
  outside: boolean;
}

export interface AuthenticationDependencies {
  config: AuthConfig;
  database: Database;
  facts: Facts;
  log: Logger;
}

/** @throws Error when `JWT_PUBLIC_KEY` is not a key that can be used, or there is no secret */
export async function createAuthentication({
  config,
  database,
  facts,
  log,
}: AuthenticationDependencies): Promise<Authentication> {
  const admit = createAdmit({ database, facts });
  const { secret, issuer, audience } = config;
  const ownTokens = secret === undefined ? undefined : await createOwnTokens({ ...config, secret });
  const findKey = await outsideKeys(config, log);
  if (findKey) {
    const users = createOutsideUsers(database, issuer);
    const verify = createOutsideVerify({ issuer, audience, findKey, users, own: ownTokens?.verify });
    return { verify: rememberVerified(verify), admit, ownTokens, outside: true };
  }
  if (!ownTokens) throw new Error('JWT_SECRET is not set');
  return { verify: rememberVerified(ownTokens.verify), admit, ownTokens, outside: false };
}

async function outsideKeys({ publicKey, jwksUrl }: AuthConfig, log: Logger): Promise<FindKey | undefined> {
  if (publicKey !== undefined) return createPublicKeyFinder(publicKey);
  if (jwksUrl !== undefined) return createJwksFinder(jwksUrl, { log });
  return undefined;
}

/** What the routes of sessions call. */
export interface Accounts {
  /** Undefined with an outside identity provider. */
  passwords: { register: Register; login: Login; refresh: Refresh } | undefined;
  /** Undefined where no tokens are of ours, as what makes one. */
  logout: Logout | undefined;
  makeToken: MakeToken | undefined;
  activation: Activation;
}

export interface AccountsDependencies {
  authentication: Pick<Authentication, 'ownTokens' | 'outside'>;
  /** `account_key` in the settings. */
  accountKey: string;
  config: Pick<AuthConfig, 'issuer' | 'refreshTtlSeconds' | 'sessionMaxTtlSeconds'>;
  limits: Config['rateLimits'];
  database: Database;
  facts: Facts;
  notifier: Notifier;
  rateLimits: RateLimits;
  log: Logger;
  metrics: Metrics;
  passwords?: Passwords;
}

export function createAccounts({
  authentication: { ownTokens: tokens, outside },
  accountKey,
  config: { issuer, refreshTtlSeconds, sessionMaxTtlSeconds },
  limits,
  database,
  facts,
  notifier,
  rateLimits,
  log,
  metrics,
  passwords = createPasswords({ metrics }),
}: AccountsDependencies): Accounts {
  const announceRevoked = createAnnounceRevoked({ facts, notifier, log });
  const activation = createActivation({ database, facts, announceRevoked });
  if (!tokens) return { passwords: undefined, logout: undefined, makeToken: undefined, activation };

  const openSession = createOpenSession(database);
  const logout = createLogout({ database, announceRevoked });
  const makeToken = createMakeToken({ database, openSession, tokens, issuer });
  if (outside) return { passwords: undefined, logout, makeToken, activation };

  const refreshTokens = createRefreshTokens(accountKey);
  const privateName = createPrivateName(accountKey);
  const lasting = { database, tokens, refreshTokens, rateLimits, refreshTtlSeconds, sessionMaxTtlSeconds };
  return {
    passwords: {
      register: createRegister({ database, passwords, rateLimits }),
      login: createLogin({ ...lasting, openSession, passwords, limits, privateName }),
      refresh: createRefresh({
        ...lasting,
        announceRevoked,
        onReuse: metrics.counter('confab_refresh_reuse_total'),
      }),
    },
    logout,
    makeToken,
    activation,
  };
}
