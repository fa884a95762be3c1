import ms from 'ms';
import * as v from 'valibot';
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

const text = v.pipe(v.string(), v.trim());
const integer = (lowest: number, highest: number) =>
  v.pipe(
    text,
    v.regex(/^-?\d+$/, 'must be a whole number'),
    v.transform(Number),
    v.minValue(lowest, `must be ${lowest} or more`),
    v.maxValue(highest, `must be ${highest} or less`),
  );
const port = integer(0, 65_535);
const flag = v.pipe(
  text,
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((value) => value === 'true'),
);
const name = v.pipe(text, v.regex(/^[A-Za-z0-9._:-]{1,200}$/, 'may hold letters, digits and . _ : - only'));
const url = (...protocols: string[]) =>
  v.pipe(
    text,
    v.check(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    ),
  );
/** Ten years; PostgreSQL is given the seconds as an `int`. */
const longestSeconds = 10 * 365 * 86_400;

/** Seconds, from `15m`, `30d`, `900s`. */
const duration = v.pipe(
  text,
  v.regex(/^\d+\s*(s|m|h|d|w)$/, 'must be a duration like 15m, 12h or 30d'),
  v.transform((value) => ms(value as ms.StringValue) / 1000),
  v.minValue(1, 'must be at least 1s'),
  v.maxValue(longestSeconds, 'must be 3650d at most'),
);
const secret = v.pipe(
  text,
  v.check((value) => Buffer.byteLength(value) >= 32, 'must have at least 32 bytes'),
);
const perMinute = integer(1, 1_000_000);

/** Every variable with its check and default; `.env.example` explains each. */
const variables = v.object({
  PORT: v.optional(port, '3000'),
  GATEWAY_PORT: v.optional(port, '3001'),
  WORKER_PORT: v.optional(port, '3002'),
  NODE_ENV: v.optional(
    v.picklist(['development', 'production', 'test'], 'must be development, production or test'),
    'development',
  ),
  LOG_LEVEL: v.optional(
    v.picklist(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'must be trace, debug, info, warn, error, fatal or silent',
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
  DATABASE_URL: v.optional(
    url('postgres:', 'postgresql:'),
    'postgres://postgres:postgres@localhost:5432/chat',
  ),
  REDIS_HOST: v.optional(text, 'localhost'),
  REDIS_PORT: v.optional(port, '6379'),
  REDIS_PASSWORD: v.optional(text),
  REDIS_DB: v.optional(integer(0, 1_000_000), '0'),
  RABBITMQ_URI: v.optional(url('amqp:', 'amqps:')),
  RABBITMQ_HOST: v.optional(text, 'localhost'),
  RABBITMQ_PORT: v.optional(port, '5672'),
  RABBITMQ_USERNAME: v.optional(text, 'guest'),
  RABBITMQ_PASSWORD: v.optional(text, 'guest'),
  RABBITMQ_VHOST: v.optional(text, '/'),
  RABBITMQ_CHAT_EXCHANGE: v.optional(name, 'chat.events'),
  RABBITMQ_CHAT_DLX_EXCHANGE: v.optional(name, 'chat.dlx'),
  RABBITMQ_CHAT_QUEUE_PREFIX: v.optional(name, 'chat.message.send'),
  RABBITMQ_CHAT_DLQ_NAME: v.optional(name, 'chat.message.send.dlq'),
  RABBITMQ_CHAT_PARTITION_COUNT: v.optional(integer(1, 1024), '8'),
  RABBITMQ_CHAT_MAX_RETRIES: v.optional(integer(0, 100), '5'),
  RABBITMQ_CHAT_CONSUMER_PREFETCH: v.optional(integer(1, 100), '1'),
  CHAT_NOTIFICATION_CHANNEL: v.optional(name, 'chat.notifications'),
  CHAT_WORKER_ENABLED: v.optional(flag, 'false'),
  CHAT_WORKER_BATCH_SIZE: v.optional(integer(1, 1000), '128'),
  JWT_SECRET: v.optional(secret),
  JWT_ISSUER: v.optional(text, 'confab'),
  JWT_AUDIENCE: v.optional(text, 'confab'),
  JWT_ACCESS_TTL: v.optional(duration, '15m'),
  JWT_REFRESH_TTL: v.optional(duration, '30d'),
  JWT_PUBLIC_KEY: v.optional(
    v.pipe(
      text,
      v.transform((value) => value.replaceAll('\\n', '\n')),
      v.includes('-----BEGIN PUBLIC KEY-----', 'must be a public key in PEM (SPKI)'),
    ),
  ),
  JWT_JWKS_URL: v.optional(url('http:', 'https:')),
  SERVICE_TOKEN: v.optional(secret),
  RATE_LIMIT_ENABLED: v.optional(flag, 'true'),
  RATE_LIMIT_USER: v.optional(perMinute, '600'),
  RATE_LIMIT_ADDRESS: v.optional(perMinute, '1200'),
  RATE_LIMIT_LOGIN: v.optional(perMinute, '60'),
  RATE_LIMIT_LOOKUP: v.optional(perMinute, '30'),
  RATE_LIMIT_INVITE: v.optional(perMinute, '2000'),
  MAX_SOCKETS_PER_USER: v.optional(integer(1, 1_000_000), '20'),
});

export type Environment = Readonly<Record<string, string | undefined>>;
export type Config = ReturnType<typeof parseConfig>;
export type AuthConfig = Config['auth'];
export type BrokerConfig = Config['broker'];
export type RedisConfig = Config['redis'];

/**
 * Pure: nothing else reads the environment.
 * @param options.needsSecret false for processes that sign and check no tokens, and where one is kept in the data folder
 * @throws ConfigError with every problem
 */
export function parseConfig(environment: Environment, { needsSecret = true } = {}) {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const parsed = v.safeParse(variables, set);
  const problems = (parsed.issues ?? []).map((issue) => `${v.getDotPath(issue)} ${issue.message}`);

  const production = set.NODE_ENV === 'production';
  const outside = set.JWT_PUBLIC_KEY !== undefined || set.JWT_JWKS_URL !== undefined;
  if (needsSecret && production && !outside && set.JWT_SECRET === undefined) {
    problems.push('JWT_SECRET is required in production: at least 32 random bytes');
  }
  if (set.JWT_PUBLIC_KEY !== undefined && set.JWT_JWKS_URL !== undefined) {
    problems.push('JWT_PUBLIC_KEY and JWT_JWKS_URL exclude each other: set one');
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const env = parsed.output;
  return {
    environment: env.NODE_ENV,
    port: env.PORT,
    gatewayPort: env.GATEWAY_PORT,
    workerPort: env.WORKER_PORT,
    logLevel: env.LOG_LEVEL,
    dataDir: env.DATA_DIR,
    /** Undefined: any localhost origin in development, none in production. */
    corsOrigins: env.CORS_ORIGINS,
    trustProxy: env.TRUST_PROXY,
    databaseUrl: env.DATABASE_URL,
    redis: {
      host: env.REDIS_HOST,
      port: env.REDIS_PORT,
      password: env.REDIS_PASSWORD,
      db: env.REDIS_DB,
    },
    broker: {
      url: env.RABBITMQ_URI ?? brokerUrl(env),
      exchange: env.RABBITMQ_CHAT_EXCHANGE,
      deadLetterExchange: env.RABBITMQ_CHAT_DLX_EXCHANGE,
      queuePrefix: env.RABBITMQ_CHAT_QUEUE_PREFIX,
      deadLetterQueue: env.RABBITMQ_CHAT_DLQ_NAME,
    },
    partitionCount: env.RABBITMQ_CHAT_PARTITION_COUNT,
    worker: {
      enabled: env.CHAT_WORKER_ENABLED,
      batchSize: env.CHAT_WORKER_BATCH_SIZE,
      bufferedBatches: env.RABBITMQ_CHAT_CONSUMER_PREFETCH,
      maxRetries: env.RABBITMQ_CHAT_MAX_RETRIES,
    },
    notificationChannel: env.CHAT_NOTIFICATION_CHANNEL,
    maxSocketsPerUser: env.MAX_SOCKETS_PER_USER,
    auth: {
      /** Undefined in development: `tokenSecret()` makes one. */
      secret: env.JWT_SECRET,
      issuer: env.JWT_ISSUER,
      audience: env.JWT_AUDIENCE,
      accessTtlSeconds: env.JWT_ACCESS_TTL,
      refreshTtlSeconds: env.JWT_REFRESH_TTL,
      publicKey: env.JWT_PUBLIC_KEY,
      jwksUrl: env.JWT_JWKS_URL,
      serviceToken: env.SERVICE_TOKEN,
    },
    rateLimits: {
      enabled: env.RATE_LIMIT_ENABLED,
      /** Points a minute. */
      user: env.RATE_LIMIT_USER,
      address: env.RATE_LIMIT_ADDRESS,
      login: env.RATE_LIMIT_LOGIN,
      lookup: env.RATE_LIMIT_LOOKUP,
      invite: env.RATE_LIMIT_INVITE,
    },
  };
}

function brokerUrl(env: v.InferOutput<typeof variables>): string {
  const credentials = `${encodeURIComponent(env.RABBITMQ_USERNAME)}:${encodeURIComponent(env.RABBITMQ_PASSWORD)}`;
  return `amqp://${credentials}@${env.RABBITMQ_HOST}:${env.RABBITMQ_PORT}/${encodeURIComponent(env.RABBITMQ_VHOST)}`;
}
