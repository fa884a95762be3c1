import * as v from 'valibot';
import { parseBrokerHosts, parseBrokerUri } from './config/broker-address.ts';
import { brokerAddressOf, brokerProblems } from './config/broker-environment.ts';
import { publicKeyProblem } from './config/key-strength.ts';
import {
  parseRedisHosts,
  parseRedisUrl,
  parseSentinels,
  redisAddressOf,
  redisProblems,
} from './config/redis-address.ts';
import { secretWeakness } from './config/secret-strength.ts';
import { defaultCredentials, plainText, type ServerName } from './config/server-access.ts';
import {
  connectionProblems,
  databaseSecretsOf,
  postgresAccesses,
  rabbitMqAccesses,
  redisAccesses,
} from './config/server-environment.ts';
import {
  duration,
  flag,
  headerSecret,
  integer,
  name,
  ownHost,
  parsedBy,
  pause,
  pem,
  perMinute,
  port,
  secret,
  secretText,
  text,
  url,
} from './config/variable-kinds.ts';
import { listedOrigin } from './origins.ts';

/** All errors of a bad environment at once, each naming its variable. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The environment is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Every variable with its check and default; `.env.example` explains each. */
const variables = v.object({
  PORT: v.optional(port, '3000'),
  GATEWAY_PORT: v.optional(port, '3001'),
  WORKER_PORT: v.optional(port, '3002'),
  HOST: v.optional(ownHost),
  NODE_ENV: v.optional(
    v.pipe(
      text,
      v.toLowerCase(),
      v.picklist(
        ['development', 'production', 'test'],
        'must be development, production or test; whatever others reach (staging, too) runs as production',
      ),
    ),
    'development',
  ),
  LOG_LEVEL: v.optional(
    v.pipe(
      text,
      v.toLowerCase(),
      v.picklist(
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        'must be trace, debug, info, warn, error, fatal or silent',
      ),
    ),
    'info',
  ),
  DATA_DIR: v.optional(text, '.data'),
  CORS_ORIGINS: v.optional(
    v.pipe(
      text,
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        const entries = dataset.value.split(',').map(listedOrigin);
        for (const entry of entries) if ('problem' in entry) addIssue({ message: entry.problem });
        const origins = entries.flatMap((entry) => ('origin' in entry ? entry.origin : []));
        return origins.length === entries.length ? origins : NEVER;
      }),
    ),
  ),
  TRUST_PROXY: v.optional(flag, 'false'),
  SHUTDOWN_DELAY: v.optional(pause),
  ALLOW_DEFAULT_CREDENTIALS: v.optional(flag, 'false'),
  DATABASE_URL: v.optional(text, 'postgres://postgres:postgres@localhost:5432/chat'),
  DATABASE_PASSWORD: v.optional(secretText),
  DATABASE_POOL_MAX: v.optional(integer(1, 1000), '10'),
  DATABASE_TLS_CA: v.optional(pem),
  DATABASE_TLS_CERT: v.optional(pem),
  DATABASE_TLS_KEY: v.optional(pem),
  REDIS_URL: v.optional(parsedBy(parseRedisUrl)),
  REDIS_HOST: v.optional(parsedBy(parseRedisHosts), 'localhost'),
  REDIS_PORT: v.optional(port, '6379'),
  REDIS_USERNAME: v.optional(secretText),
  REDIS_PASSWORD: v.optional(secretText),
  REDIS_DB: v.optional(integer(0, 1_000_000), '0'),
  REDIS_TLS: v.optional(flag),
  REDIS_TLS_CA: v.optional(pem),
  REDIS_TLS_CERT: v.optional(pem),
  REDIS_TLS_KEY: v.optional(pem),
  REDIS_SENTINELS: v.optional(parsedBy(parseSentinels)),
  REDIS_SENTINEL_NAME: v.optional(text, 'mymaster'),
  REDIS_SENTINEL_PASSWORD: v.optional(secretText),
  REDIS_CLUSTER: v.optional(flag, 'false'),
  RABBITMQ_URI: v.optional(parsedBy(parseBrokerUri)),
  RABBITMQ_HOST: v.optional(parsedBy(parseBrokerHosts), 'localhost'),
  RABBITMQ_PORT: v.optional(port),
  RABBITMQ_USERNAME: v.optional(secretText, 'guest'),
  RABBITMQ_PASSWORD: v.optional(secretText, 'guest'),
  RABBITMQ_VHOST: v.optional(
    v.pipe(
      secretText,
      v.check((value) => Buffer.byteLength(value) <= 255, 'may have 255 bytes at most'),
    ),
    '/',
  ),
  RABBITMQ_TLS: v.optional(flag),
  RABBITMQ_TLS_CA: v.optional(pem),
  RABBITMQ_TLS_CERT: v.optional(pem),
  RABBITMQ_TLS_KEY: v.optional(pem),
  RABBITMQ_CHAT_EXCHANGE: v.optional(name, 'chat.events'),
  RABBITMQ_CHAT_DLX_EXCHANGE: v.optional(name, 'chat.dlx'),
  RABBITMQ_CHAT_QUEUE_PREFIX: v.optional(name, 'chat.message.send'),
  RABBITMQ_CHAT_DLQ_NAME: v.optional(name, 'chat.message.send.dlq'),
  RABBITMQ_CHAT_PARTITION_COUNT: v.optional(integer(1, 1024), '8'),
  RABBITMQ_CHAT_QUEUE_MAX_BYTES: v.optional(integer(1_048_576, 2 ** 50)),
  RABBITMQ_CHAT_MAX_RETRIES: v.optional(integer(0, 100), '5'),
  RABBITMQ_CHAT_CONSUMER_PREFETCH: v.optional(integer(1, 100), '1'),
  CHAT_NOTIFICATION_CHANNEL: v.optional(name, 'chat.notifications'),
  CHAT_LIVE_MAX: v.optional(integer(0, 10_000), '100'),
  CHAT_WORKER_ENABLED: v.optional(flag, 'false'),
  CHAT_WORKER_BATCH_SIZE: v.optional(integer(1, 1000), '128'),
  JWT_SECRET: v.optional(secret),
  JWT_SECRET_PREVIOUS: v.optional(secret),
  JWT_ISSUER: v.optional(text, 'confab'),
  JWT_AUDIENCE: v.optional(text, 'confab'),
  JWT_ACCESS_TTL: v.optional(duration, '15m'),
  JWT_REFRESH_TTL: v.optional(duration, '30d'),
  SESSION_MAX_TTL: v.optional(duration, '90d'),
  JWT_PUBLIC_KEY: v.optional(
    v.pipe(
      pem,
      v.includes('-----BEGIN PUBLIC KEY-----', 'must be a public key in PEM (SPKI)'),
      v.rawCheck(({ dataset, addIssue }) => {
        const message = dataset.typed ? publicKeyProblem(dataset.value) : undefined;
        if (message !== undefined) addIssue({ message });
      }),
    ),
  ),
  JWT_JWKS_URL: v.optional(url('http:', 'https:')),
  SERVICE_TOKEN: v.optional(headerSecret),
  RATE_LIMIT_ENABLED: v.optional(flag, 'true'),
  RATE_LIMIT_USER: v.optional(perMinute, '600'),
  RATE_LIMIT_READ: v.optional(perMinute, '1200'),
  RATE_LIMIT_ADDRESS: v.optional(perMinute, '1200'),
  RATE_LIMIT_LOGIN: v.optional(perMinute, '60'),
  RATE_LIMIT_LOOKUP: v.optional(perMinute, '30'),
  RATE_LIMIT_INVITE: v.optional(perMinute, '2000'),
  RATE_LIMIT_CONNECT: v.optional(perMinute, '12000'),
  MAX_SOCKETS_PER_USER: v.optional(integer(1, 1_000_000), '20'),
});

export const isVariable = (name: string): boolean => Object.hasOwn(variables.entries, name);

/** The ways to the three servers. */
const databaseVariables = v.pick(variables, [
  'DATABASE_URL',
  'DATABASE_PASSWORD',
  'DATABASE_TLS_CA',
  'DATABASE_TLS_CERT',
  'DATABASE_TLS_KEY',
]);
const redisVariables = v.pick(variables, [
  'REDIS_URL',
  'REDIS_HOST',
  'REDIS_PORT',
  'REDIS_USERNAME',
  'REDIS_PASSWORD',
  'REDIS_DB',
  'REDIS_TLS',
  'REDIS_TLS_CA',
  'REDIS_TLS_CERT',
  'REDIS_TLS_KEY',
  'REDIS_SENTINELS',
  'REDIS_SENTINEL_NAME',
  'REDIS_SENTINEL_PASSWORD',
  'REDIS_CLUSTER',
]);
const brokerVariables = v.pick(variables, [
  'RABBITMQ_URI',
  'RABBITMQ_HOST',
  'RABBITMQ_PORT',
  'RABBITMQ_USERNAME',
  'RABBITMQ_PASSWORD',
  'RABBITMQ_VHOST',
  'RABBITMQ_TLS',
  'RABBITMQ_TLS_CA',
  'RABBITMQ_TLS_CERT',
  'RABBITMQ_TLS_KEY',
]);
const allowance = v.pick(variables, ['ALLOW_DEFAULT_CREDENTIALS']);

const chooseAnother = 'choose one of your own, or set ALLOW_DEFAULT_CREDENTIALS=true';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Config = ReturnType<typeof parseConfig>;
export type AuthConfig = Config['auth'];
export type BrokerConfig = Config['broker'];

export interface ConfigOptions {
  /** False for processes that sign and check no tokens, and where the secret is kept in the data folder. */
  needsSecret?: boolean;
  /** The servers that the process signs in to: in production not with credentials that everybody knows. */
  servers?: readonly ServerName[];
}

/**
 * Pure: nothing else reads the environment.
 * @throws ConfigError with every problem
 */
export function parseConfig(
  environment: Environment,
  { needsSecret = true, servers = [] }: ConfigOptions = {},
) {
  const { set, links } = given(environment);
  const parsed = v.safeParse(variables, set);
  const problems = (parsed.issues ?? []).map((issue) => problemOf(issue, set));

  const production = set.NODE_ENV?.trim().toLowerCase() === 'production';
  const outside = set.JWT_PUBLIC_KEY !== undefined || set.JWT_JWKS_URL !== undefined;
  if (needsSecret && production && !outside && set.JWT_SECRET === undefined) {
    problems.push('JWT_SECRET is required in production: at least 32 random bytes');
  }
  if (set.JWT_PUBLIC_KEY !== undefined && set.JWT_JWKS_URL !== undefined) {
    problems.push('JWT_PUBLIC_KEY and JWT_JWKS_URL exclude each other: set one');
  }
  // By themselves: an error elsewhere hides none of these.
  const database = v.safeParse(databaseVariables, set);
  const redis = v.safeParse(redisVariables, set);
  const broker = v.safeParse(brokerVariables, set);
  if (database.success) problems.push(...connectionProblems(database.output));
  if (redis.success) problems.push(...redisProblems(redis.output));
  if (broker.success) problems.push(...brokerProblems(broker.output));
  const warnings = links.map(linkIgnored);
  (production ? problems : warnings).push(...weakKeys(set));
  if (production) {
    const accesses = [
      ...(database.success ? postgresAccesses(database.output) : []),
      ...(redis.success ? redisAccesses(redis.output) : []),
      ...(broker.success ? rabbitMqAccesses(broker.output) : []),
    ].filter(({ server }) => servers.includes(server));
    const open = accesses.map(defaultCredentials).filter((problem) => problem !== undefined);
    const allowed = v.safeParse(allowance, set);
    if (allowed.success && allowed.output.ALLOW_DEFAULT_CREDENTIALS) warnings.push(...open);
    else problems.push(...open.map((problem) => `${problem}: ${chooseAnother}`));
    warnings.push(...accesses.map(plainText).filter((warning) => warning !== undefined));
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const env = parsed.output;
  return {
    environment: env.NODE_ENV,
    /** What works and should not stay so; to be logged. */
    warnings,
    /** `localhost`: this machine alone, by both families. `::`: from everywhere, by both. */
    host: env.HOST ?? (production ? '::' : 'localhost'),
    /** Between "not ready" and the end of listening, so that balancers have noticed. */
    shutdownDelayMs: env.SHUTDOWN_DELAY ?? (production ? 5_000 : 0),
    port: env.PORT,
    gatewayPort: env.GATEWAY_PORT,
    workerPort: env.WORKER_PORT,
    logLevel: env.LOG_LEVEL,
    dataDir: env.DATA_DIR,
    /** Undefined: any localhost origin in development, none in production. */
    corsOrigins: env.CORS_ORIGINS,
    trustProxy: env.TRUST_PROXY,
    database: {
      url: env.DATABASE_URL,
      ...databaseSecretsOf(env),
      maxConnections: env.DATABASE_POOL_MAX,
    },
    redis: redisAddressOf(env),
    broker: {
      ...brokerAddressOf(env),
      exchange: env.RABBITMQ_CHAT_EXCHANGE,
      deadLetterExchange: env.RABBITMQ_CHAT_DLX_EXCHANGE,
      queuePrefix: env.RABBITMQ_CHAT_QUEUE_PREFIX,
      deadLetterQueue: env.RABBITMQ_CHAT_DLQ_NAME,
      /** Of one partition; undefined: no bound. */
      queueMaxBytes: env.RABBITMQ_CHAT_QUEUE_MAX_BYTES,
    },
    partitionCount: env.RABBITMQ_CHAT_PARTITION_COUNT,
    worker: {
      enabled: env.CHAT_WORKER_ENABLED,
      batchSize: env.CHAT_WORKER_BATCH_SIZE,
      bufferedBatches: env.RABBITMQ_CHAT_CONSUMER_PREFETCH,
      maxRetries: env.RABBITMQ_CHAT_MAX_RETRIES,
    },
    notificationChannel: env.CHAT_NOTIFICATION_CHANNEL,
    liveMax: env.CHAT_LIVE_MAX,
    maxSocketsPerUser: env.MAX_SOCKETS_PER_USER,
    auth: {
      /** Undefined in development: `tokenSecret()` makes one. */
      secret: env.JWT_SECRET,
      /** Verifies beside it. */
      previousSecret: env.JWT_SECRET_PREVIOUS,
      issuer: env.JWT_ISSUER,
      audience: env.JWT_AUDIENCE,
      accessTtlSeconds: env.JWT_ACCESS_TTL,
      refreshTtlSeconds: env.JWT_REFRESH_TTL,
      sessionMaxTtlSeconds: env.SESSION_MAX_TTL,
      publicKey: env.JWT_PUBLIC_KEY,
      jwksUrl: env.JWT_JWKS_URL,
      serviceToken: env.SERVICE_TOKEN,
    },
    rateLimits: {
      enabled: env.RATE_LIMIT_ENABLED,
      /** Points a minute. */
      user: env.RATE_LIMIT_USER,
      read: env.RATE_LIMIT_READ,
      address: env.RATE_LIMIT_ADDRESS,
      login: env.RATE_LIMIT_LOGIN,
      /** In 15 minutes: more than the log-ins that fail from one address can be. */
      guesses: 2 * env.RATE_LIMIT_LOGIN,
      lookup: env.RATE_LIMIT_LOOKUP,
      invite: env.RATE_LIMIT_INVITE,
      connect: env.RATE_LIMIT_CONNECT,
    },
  };
}

/** What production refuses, and development warns of: with any of them somebody else could make tokens. */
function weakKeys(set: Environment): string[] {
  const weak: string[] = [];
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'SERVICE_TOKEN']) {
    const weakness = secretWeakness(set[name]?.trim() ?? '');
    if (set[name] !== undefined && weakness !== undefined) {
      weak.push(`${name} ${weakness}: take random bytes, as \`openssl rand -base64 32\` prints them`);
    }
  }
  if (set.JWT_JWKS_URL?.trim().toLowerCase().startsWith('http:')) {
    weak.push('JWT_JWKS_URL must begin with https://: who is in between could put in keys of their own');
  }
  return weak;
}

/** Of an environment what is set, and not for somebody else. Empty means unset. */
function given(environment: Environment) {
  const set: Record<string, string> = {};
  const links: { name: string; value: string }[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || (isSecret(name) ? value : value.trim()) === '') continue;
    if (isServiceLink(name, value)) links.push({ name, value });
    else set[name] = value;
  }
  return { set, links };
}

const isSecret = (name: string): boolean => /PASSWORD|SECRET/.test(name);

/** Kubernetes sets `REDIS_PORT=tcp://10.43.1.1:6379` in every pod beside a service that is called `redis`. */
const isServiceLink = (name: string, value: string): boolean =>
  /^(?:(?:GATEWAY|WORKER|REDIS|RABBITMQ)_)?PORT$/.test(name) && /^(?:tcp|udp|sctp):\/\//.test(value);

const linkIgnored = ({ name, value }: { name: string; value: string }): string =>
  `${name}=${value} is no port but Kubernetes' link to a service of that name, and ignored: ` +
  'enableServiceLinks: false in the pod keeps it out';

function problemOf(issue: v.InferIssue<typeof variables>, set: Record<string, string>): string {
  const name = v.getDotPath(issue)?.split('.')[0] ?? '';
  const shown = name === 'NODE_ENV' ? `=${set[name]}` : '';
  return `${name}${shown} ${issue.message}`;
}
