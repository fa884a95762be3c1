import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { type ApiDependencies, createApi } from '../../src/api/app.ts';
import { createAccounts, createAuthentication } from '../../src/auth/auth.ts';
import { createPasswords } from '../../src/auth/passwords.ts';
import type { Database } from '../../src/db/database.ts';
import type { Readiness } from '../../src/process/readiness.ts';
import type { Environment } from '../../src/shared/config/environment.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { TokenPair, User } from '../../src/shared/contract.ts';
import { createLog, type Logger } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { createAllowedOrigin } from '../../src/shared/origins.ts';
import type { Facts, RateLimits } from '../../src/shared/ports/admission.ts';
import type { Notifier } from '../../src/shared/ports/notifications.ts';
import { type AskedApp, asked } from './asked.ts';
import { untilNotBusy } from './not-busy.ts';

/** What an api stands on; the caller opens and closes it. */
export interface ApiBase {
  database: Database;
  facts: Facts;
  notifier: Notifier;
}

export interface TestApiOptions extends ApiBase {
  environment?: Environment;
  rateLimits?: RateLimits;
  chatRoutes?: ApiDependencies['chatRoutes'];
  readiness?: Readiness;
  everyoneLoads?: (event: string) => boolean;
  log?: Logger;
  /** Of a request, and of a password that waits for its turn: the api's own unless given. */
  deadlineMs?: number;
}

export const testSecret = 'a secret that is known to tests alone, and long enough';
export const testAccountKey = 'a key of accounts that tests alone know';
export const testPassword = 'correct horse battery staple';

export type TestApi = Awaited<ReturnType<typeof createTestApi>>;

/** The real app without a server; rate limits are off unless given. */
export async function createTestApi({
  environment = {},
  chatRoutes = () => [],
  everyoneLoads = () => true,
  readiness = { dependencies: [], leaving: () => false },
  log = createLog({ logLevel: 'silent' }, 'test'),
  ...options
}: TestApiOptions) {
  const config = parseConfig({ JWT_SECRET: testSecret, ...environment });
  const { database, facts, notifier, deadlineMs } = options;
  const rateLimits =
    options.rateLimits ?? createEmbeddedRateLimits({ ...config.rateLimits, enabled: false }, createMetrics());
  const authentication = await createAuthentication({ config: config.auth, database, facts, log });
  const accounts = createAccounts({
    ...{ authentication, database, facts, notifier, rateLimits, log, metrics: createMetrics() },
    accountKey: testAccountKey,
    config: config.auth,
    limits: config.rateLimits,
    ...(deadlineMs === undefined
      ? {}
      : { passwords: createPasswords({ metrics: createMetrics(), maxWaitMs: deadlineMs }) }),
  });
  const app = createApi({
    config: {
      ...config.auth,
      ...{ trustProxy: config.trustProxy, liveMax: config.liveMax, webClient: config.webClient },
      secondPerson: config.environment !== 'production',
    },
    database,
    rateLimits,
    notifier,
    ...authentication,
    accounts,
    chatRoutes,
    everyoneLoads,
    allowedOrigin: createAllowedOrigin(config),
    readiness,
    log,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const api = asked(app);
  return { ...createClient(api), api, config };
}

export interface CallOptions {
  token?: string | undefined;
  headers?: Record<string, string>;
}

function createClient(api: AskedApp) {
  const call = async (method: string, path: string, body?: unknown, { token, headers }: CallOptions = {}) =>
    api.request(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

  let registered = 0;
  /** A new user, with its first session. */
  const signUp = async (): Promise<TokenPair & { email: string }> => {
    registered += 1;
    const email = `user-${registered}-${crypto.randomUUID().slice(0, 8)}@example.com`;
    const account = { email, password: testPassword };
    const answer = await untilNotBusy(() => call('POST', '/auth/register', account));
    if (answer.status !== 201) throw new Error(`registered with ${answer.status}: ${await answer.text()}`);
    return { ...(await signIn(email)), email };
  };
  const signIn = async (email: string): Promise<TokenPair> => {
    const answer = await untilNotBusy(() => call('POST', '/auth/login', { email, password: testPassword }));
    if (answer.status !== 200) throw new Error(`signed in with ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as TokenPair;
  };

  return {
    call,
    get: (path: string, token?: string) => call('GET', path, undefined, { token }),
    post: (path: string, body?: unknown, token?: string) => call('POST', path, body, { token }),
    signUp,
    signIn,
  };
}

export const userOf = async (answer: Response): Promise<User> => (await answer.json()) as User;
