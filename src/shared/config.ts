import * as v from 'valibot';
import { authOf, authProblems, authVariables, weakKeys } from './config/auth-environment.ts';
import { brokerAddressOf, brokerVariables, wayToRabbitMq } from './config/broker-environment.ts';
import { databaseAddressOf, databaseVariables, wayToPostgres } from './config/database-environment.ts';
import { type Environment, given } from './config/environment.ts';
import { redisAddressOf, redisVariables, wayToRedis } from './config/redis-environment.ts';
import { defaultCredentials, plainText, type ServerName } from './config/server-access.ts';
import {
  duration,
  flag,
  headerSecrets,
  integer,
  name,
  ownHost,
  pause,
  perMinute,
  port,
  text,
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

const allowance = v.object({
  ALLOW_DEFAULT_CREDENTIALS: v.optional(flag, 'false'),
});

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
  METRICS_TOKEN: v.optional(headerSecrets),
  BUILD_COMMIT: v.optional(text, 'unknown'),
  WEB_CLIENT: v.optional(flag),
  ...allowance.entries,
  ...databaseVariables.entries,
  DATABASE_POOL_MAX: v.optional(integer(1, 1000), '10'),
  ...redisVariables.entries,
  ...brokerVariables.entries,
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
  CHAT_MAX_PARTICIPANTS: v.optional(integer(2, 100_000), '10000'),
  MESSAGE_EDIT_WINDOW: v.optional(duration),
  CHAT_WORKER_ENABLED: v.optional(flag, 'false'),
  CHAT_WORKER_BATCH_SIZE: v.optional(integer(1, 1000), '128'),
  ...authVariables.entries,
  RATE_LIMIT_ENABLED: v.optional(flag, 'true'),
  RATE_LIMIT_USER: v.optional(perMinute, '600'),
  RATE_LIMIT_READ: v.optional(perMinute, '1200'),
  RATE_LIMIT_TYPING: v.optional(perMinute, '600'),
  RATE_LIMIT_ADDRESS: v.optional(perMinute, '1200'),
  RATE_LIMIT_LOGIN: v.optional(perMinute, '60'),
  RATE_LIMIT_LOOKUP: v.optional(perMinute, '30'),
  RATE_LIMIT_INVITE: v.optional(perMinute, '2000'),
  RATE_LIMIT_CONNECT: v.optional(perMinute, '12000'),
  MAX_SOCKETS_PER_USER: v.optional(integer(1, 1_000_000), '20'),
});

export const isVariable = (name: string): boolean => Object.hasOwn(variables.entries, name);

const chooseAnother = 'choose one of your own, or set ALLOW_DEFAULT_CREDENTIALS=true';

export type Config = ReturnType<typeof parseConfig>;
export type AuthConfig = Config['auth'];
export type BrokerConfig = Config['broker'];

/** Whether tokens are those of a provider, and not our own. */
export const isOutside = ({ publicKey, jwksUrl }: AuthConfig): boolean =>
  publicKey !== undefined || jwksUrl !== undefined;

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
  const { set, warnings } = given(environment);
  const parsed = v.safeParse(variables, set);
  const problems = (parsed.issues ?? []).map((issue) => problemOf(issue, set));

  const production = set.NODE_ENV?.trim().toLowerCase() === 'production';
  problems.push(...authProblems(set, needsSecret && production));
  if (parsed.success && parsed.output.WEB_CLIENT && isOutside(authOf(parsed.output))) {
    problems.push(
      'WEB_CLIENT signs people in by passwords, which an identity provider of yours does not take: unset it',
    );
  }
  // By themselves: an error elsewhere hides none of these.
  const database = v.safeParse(databaseVariables, set);
  const redis = v.safeParse(redisVariables, set);
  const broker = v.safeParse(brokerVariables, set);
  const ways = [
    ...(database.success ? [wayToPostgres(database.output)] : []),
    ...(redis.success ? [wayToRedis(redis.output)] : []),
    ...(broker.success ? [wayToRabbitMq(broker.output)] : []),
  ];
  problems.push(...ways.flatMap((way) => way.problems));
  (production ? problems : warnings).push(...weakKeys(set));
  if (production) {
    const accesses = ways.flatMap((way) => way.accesses).filter(({ server }) => servers.includes(server));
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
    metricsTokens: env.METRICS_TOKEN ?? [],
    buildCommit: env.BUILD_COMMIT,
    /** Undefined: in the single process in development. */
    webClient: env.WEB_CLIENT,
    database: { ...databaseAddressOf(env), maxConnections: env.DATABASE_POOL_MAX },
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
    /** After a message was sent; undefined: always. */
    messageEditWindowSeconds: env.MESSAGE_EDIT_WINDOW,
    notificationChannel: env.CHAT_NOTIFICATION_CHANNEL,
    liveMax: env.CHAT_LIVE_MAX,
    maxParticipants: env.CHAT_MAX_PARTICIPANTS,
    maxSocketsPerUser: env.MAX_SOCKETS_PER_USER,
    auth: authOf(env),
    rateLimits: {
      enabled: env.RATE_LIMIT_ENABLED,
      /** Points a minute. */
      user: env.RATE_LIMIT_USER,
      read: env.RATE_LIMIT_READ,
      typing: env.RATE_LIMIT_TYPING,
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

function problemOf(issue: v.InferIssue<typeof variables>, set: Record<string, string>): string {
  const name = v.getDotPath(issue)?.split('.')[0] ?? '';
  const shown = name === 'NODE_ENV' ? `=${set[name]}` : '';
  return `${name}${shown} ${issue.message}`;
}
