import * as v from 'valibot';
import { ChatError } from '../shared/errors.ts';

/**
 * The clock of an outside provider may be this much ahead of ours. When a token was issued is not judged: what keeps a token
 * out is its end, which is taken as it stands, so that none lives longer than it says.
 */
const clockSkewSeconds = 300;

/** Far above any token of a sane provider, far below what would cost something to decode. */
const maxTokenLength = 8_192;

const epochSeconds = v.pipe(v.number(), v.finite());

/** hono/jwt accepts a token without `exp`: what must be there is said here. */
export const timeClaims = (issuer: string, audience: string) => ({
  iss: v.literal(issuer),
  aud: v.pipe(
    v.union([v.string(), v.array(v.string())]),
    v.check((aud) => aud === audience || (Array.isArray(aud) && aud.includes(audience))),
  ),
  exp: epochSeconds,
  nbf: v.optional(epochSeconds),
});

/**
 * The last check, so that `token_expired` is said of real tokens alone.
 * @throws ChatError `token_expired`, `token_invalid`
 */
export function assertTimes({ exp, nbf = 0 }: TimeClaims): void {
  const now = Date.now() / 1000;
  if (exp <= now) throw new ChatError('token_expired');
  if (nbf > now + clockSkewSeconds) throw new ChatError('token_invalid');
}

interface TimeClaims {
  exp: number;
  nbf?: number | undefined;
}

/** @throws ChatError `token_missing`, `token_invalid` */
export function requireToken(token: string | undefined): string {
  if (token === undefined || token === '') throw new ChatError('token_missing');
  if (token.length > maxTokenLength) throw new ChatError('token_invalid');
  return token;
}
