import * as v from 'valibot';
import { ConnectionStringError, type DatabaseSecrets, parseConnectionString } from './connection-string.ts';
import type { WayToServer } from './server-access.ts';
import { pem, secretText, text } from './variable-kinds.ts';

/** The way to PostgreSQL. */
export const databaseVariables = v.object({
  DATABASE_URL: v.optional(text, 'postgres://postgres:postgres@localhost:5432/chat'),
  DATABASE_PASSWORD: v.optional(secretText),
  DATABASE_TLS_CA: v.optional(pem),
  DATABASE_TLS_CERT: v.optional(pem),
  DATABASE_TLS_KEY: v.optional(pem),
});
type DatabaseVariables = v.InferOutput<typeof databaseVariables>;

/** `DATABASE_PASSWORD` needs no escapes, as in a URL. */
export function databaseAddressOf(env: DatabaseVariables) {
  return {
    url: env.DATABASE_URL,
    /** Undefined: that of the URL. */
    password: env.DATABASE_PASSWORD,
    tls: { ca: env.DATABASE_TLS_CA, cert: env.DATABASE_TLS_CERT, key: env.DATABASE_TLS_KEY },
  } satisfies DatabaseSecrets & { url: string };
}

export function wayToPostgres(env: DatabaseVariables): WayToServer {
  try {
    const { hosts, user, password, tls } = parseConnectionString(env.DATABASE_URL, databaseAddressOf(env));
    const access = {
      server: 'postgres',
      label: 'PostgreSQL',
      hosts: hosts.map(({ name, address }) => address ?? name),
      user,
      password: password || undefined,
      openWithoutPassword: false,
      variable: env.DATABASE_PASSWORD === undefined ? 'DATABASE_URL' : 'DATABASE_PASSWORD',
      encrypted: /^(?:require|verify-ca|verify-full)$/.test(tls.mode),
    } as const;
    return { problems: [], accesses: [access] };
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    return { problems: [`DATABASE_URL ${error.message}`], accesses: [] };
  }
}
