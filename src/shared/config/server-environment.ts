import { type BrokerVariables, brokerAddressOf } from './broker-environment.ts';
import { ConnectionStringError, type DatabaseSecrets, parseConnectionString } from './connection-string.ts';
import { postgresAccess, rabbitMqAccess, redisAccess, type ServerAccess } from './server-access.ts';

/** What the environment says of the way to PostgreSQL. */
interface DatabaseVariables {
  DATABASE_URL: string;
  DATABASE_PASSWORD?: string | undefined;
  DATABASE_TLS_CA?: string | undefined;
  DATABASE_TLS_CERT?: string | undefined;
  DATABASE_TLS_KEY?: string | undefined;
}

interface ServerVariables extends DatabaseVariables, BrokerVariables {
  REDIS_HOST: string;
  REDIS_PASSWORD?: string | undefined;
}

/** The ways to the three servers; to PostgreSQL none where it cannot be told, which is a problem of its own. */
export function accessesOf(env: ServerVariables): ServerAccess[] {
  return [
    ...postgresAccessOf(env),
    redisAccess({ host: env.REDIS_HOST, password: env.REDIS_PASSWORD }),
    rabbitMqAccess(brokerAddressOf(env), env.RABBITMQ_URI ? 'RABBITMQ_URI' : 'RABBITMQ_PASSWORD'),
  ];
}

function postgresAccessOf(env: DatabaseVariables): ServerAccess[] {
  if (connectionProblem(env) !== undefined) return [];
  const access = postgresAccess(env.DATABASE_URL, databaseSecretsOf(env));
  return [
    { ...access, variable: env.DATABASE_PASSWORD === undefined ? 'DATABASE_URL' : 'DATABASE_PASSWORD' },
  ];
}

/** What stands beside the URL. `DATABASE_PASSWORD` needs no escapes, as in a URL. */
export function databaseSecretsOf(env: DatabaseVariables) {
  return {
    /** Undefined: that of the URL. */
    password: env.DATABASE_PASSWORD,
    tls: { ca: env.DATABASE_TLS_CA, cert: env.DATABASE_TLS_CERT, key: env.DATABASE_TLS_KEY },
  } satisfies DatabaseSecrets;
}

/** Why PostgreSQL cannot be reached as the environment says. */
export function connectionProblem(env: DatabaseVariables): string | undefined {
  try {
    parseConnectionString(env.DATABASE_URL, databaseSecretsOf(env));
    return undefined;
  } catch (error) {
    if (error instanceof ConnectionStringError) return `DATABASE_URL ${error.message}`;
    throw error;
  }
}
