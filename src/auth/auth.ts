import type { Database } from '../db/database.ts';
import type { AuthConfig, Config } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { Facts, RateLimits } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import { createPrivateName } from '../shared/private-name.ts';
import { createAnnounceRevoked } from './announce-revoked.ts';
import { type Admit, createAdmit, type VerifyToken } from './authenticate.ts';
import { createLogin, type Login } from './login.ts';
import { createLogout, type Logout } from './logout.ts';
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
  /** Undefined with an outside identity provider. */
  ownTokens: OwnTokens | undefined;
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
  const withVerify = (verifyAnew: VerifyToken, ownTokens?: OwnTokens): Authentication => {
    const verify = rememberVerified(verifyAnew);
    return { verify, admit, ownTokens };
  };

  const findKey = await outsideKeys(config, log);
  if (findKey) {
    const { issuer, audience } = config;
    const users = createOutsideUsers(database, issuer);
    return withVerify(createOutsideVerify({ issuer, audience, findKey, users }));
  }
  const { secret } = config;
  if (secret === undefined) throw new Error('JWT_SECRET is not set');
  const ownTokens = await createOwnTokens({ ...config, secret });
  return withVerify(ownTokens.verify, ownTokens);
}

async function outsideKeys({ publicKey, jwksUrl }: AuthConfig, log: Logger): Promise<FindKey | undefined> {
  if (publicKey !== undefined) return createPublicKeyFinder(publicKey);
  if (jwksUrl !== undefined) return createJwksFinder(jwksUrl, { log });
  return undefined;
}

/** What the password routes call. */
export interface Accounts {
  register: Register;
  login: Login;
  refresh: Refresh;
  logout: Logout;
}

export interface AccountsDependencies {
  ownTokens: OwnTokens;
  /** `account_key` in the settings. */
  accountKey: string;
  config: Pick<AuthConfig, 'refreshTtlSeconds' | 'sessionMaxTtlSeconds'>;
  limits: Config['rateLimits'];
  database: Database;
  facts: Facts;
  notifier: Notifier;
  rateLimits: RateLimits;
  log: Logger;
  passwords?: Passwords;
}

export function createAccounts({
  ownTokens: tokens,
  accountKey,
  config: { refreshTtlSeconds, sessionMaxTtlSeconds },
  limits,
  database,
  facts,
  notifier,
  rateLimits,
  log,
  passwords = createPasswords(),
}: AccountsDependencies): Accounts {
  const refreshTokens = createRefreshTokens(accountKey);
  const announceRevoked = createAnnounceRevoked({ facts, notifier, log });
  const lasting = { database, tokens, refreshTokens, rateLimits, refreshTtlSeconds, sessionMaxTtlSeconds };
  return {
    register: createRegister({ database, passwords, rateLimits }),
    login: createLogin({ ...lasting, passwords, limits, privateName: createPrivateName(accountKey) }),
    refresh: createRefresh({ ...lasting, announceRevoked }),
    logout: createLogout({ database, announceRevoked }),
  };
}
