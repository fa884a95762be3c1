import { type BrokerVariables, brokerAddressOf } from './broker-environment.ts';
import { ConnectionStringError, type DatabaseSecrets, parseConnectionString } from './connection-string.ts';
import { type RedisVariables, redisAddressOf } from './redis-address.ts';
import {
  postgresAccess,
  rabbitMqAccess,
  redisAccess,
  type ServerAccess,
  sentinelAccess,
} from './server-access.ts';

/** What the environment says of the way to PostgreSQL. */
interface DatabaseVariables {
  DATABASE_URL: string;
  DATABASE_PASSWORD?: string | undefined;
  DATABASE_TLS_CA?: string | undefined;
  DATABASE_TLS_CERT?: string | undefined;
  DATABASE_TLS_KEY?: string | undefined;
}

/** None where it cannot be told, which is a problem of its own. */
export function postgresAccesses(env: DatabaseVariables): ServerAccess[] {
  if (connectionProblems(env).length > 0) return [];
  const access = postgresAccess(env.DATABASE_URL, databaseSecretsOf(env));
  return [
    { ...access, variable: env.DATABASE_PASSWORD === undefined ? 'DATABASE_URL' : 'DATABASE_PASSWORD' },
  ];
}

/** To Redis, and to the Sentinels that say where it is. */
export function redisAccesses(env: RedisVariables): ServerAccess[] {
  const address = redisAddressOf(env);
  const access = redisAccess(address, env.REDIS_URL ? 'REDIS_URL' : 'REDIS_PASSWORD');
  return address.kind === 'sentinel' ? [access, sentinelAccess(address)] : [access];
}

export const rabbitMqAccesses = (env: BrokerVariables): ServerAccess[] => [
  rabbitMqAccess(brokerAddressOf(env), env.RABBITMQ_URI ? 'RABBITMQ_URI' : 'RABBITMQ_PASSWORD'),
];

/** What stands beside the URL. `DATABASE_PASSWORD` needs no escapes, as in a URL. */
export function databaseSecretsOf(env: DatabaseVariables) {
  return {
    /** Undefined: that of the URL. */
    password: env.DATABASE_PASSWORD,
    tls: { ca: env.DATABASE_TLS_CA, cert: env.DATABASE_TLS_CERT, key: env.DATABASE_TLS_KEY },
  } satisfies DatabaseSecrets;
}

/** Why PostgreSQL cannot be reached as the environment says. */
export function connectionProblems(env: DatabaseVariables): string[] {
  try {
    parseConnectionString(env.DATABASE_URL, databaseSecretsOf(env));
    return [];
  } catch (error) {
    if (error instanceof ConnectionStringError) return [`DATABASE_URL ${error.message}`];
    throw error;
  }
}
