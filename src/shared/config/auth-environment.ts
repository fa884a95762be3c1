import * as v from 'valibot';
import type { Environment } from './environment.ts';
import { publicKeyProblem } from './key-strength.ts';
import { secretWeakness } from './secret-strength.ts';
import { duration, headerSecrets, pem, secret, secretsIn, text, url } from './variable-kinds.ts';

/** Who may come in. */
export const authVariables = v.object({
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
  SERVICE_TOKEN: v.optional(headerSecrets),
});

export const authOf = (env: v.InferOutput<typeof authVariables>) => ({
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
  /** Of the host's own backend: two while one takes the other's place, none where it has no access. */
  serviceTokens: env.SERVICE_TOKEN ?? [],
});

/** What does not go together. */
export function authProblems(set: Environment, needsOwnSecret: boolean): string[] {
  const problems: string[] = [];
  const outside = set.JWT_PUBLIC_KEY !== undefined || set.JWT_JWKS_URL !== undefined;
  if (needsOwnSecret && !outside && set.JWT_SECRET === undefined) {
    problems.push('JWT_SECRET is required in production: at least 32 random bytes');
  }
  if (set.JWT_PUBLIC_KEY !== undefined && set.JWT_JWKS_URL !== undefined) {
    problems.push('JWT_PUBLIC_KEY and JWT_JWKS_URL exclude each other: set one');
  }
  return problems;
}

/** Each a list of them. */
const tokens = ['SERVICE_TOKEN', 'METRICS_TOKEN'];

/** What production refuses, and development warns of: with any of them somebody else could make tokens. */
export function weakKeys(set: Environment): string[] {
  const weak: string[] = [];
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', ...tokens]) {
    const given = set[name];
    if (given === undefined) continue;
    const secrets = tokens.includes(name) ? secretsIn(given) : [given.trim()];
    for (const weakness of new Set(secrets.map(secretWeakness))) {
      if (weakness === undefined) continue;
      weak.push(`${name} ${weakness}: take random bytes, as \`openssl rand -base64 32\` prints them`);
    }
  }
  if (set.JWT_JWKS_URL?.trim().toLowerCase().startsWith('http:')) {
    weak.push('JWT_JWKS_URL must begin with https://: who is in between could put in keys of their own');
  }
  return weak;
}
