import { ChatError } from '../shared/errors.ts';
import type { Identity, VerifyToken } from './authenticate.ts';

export interface RememberOptions {
  /** Beyond that the least recently used are forgotten. */
  maxTokens?: number;
  /** After that long a token is verified again: keys of an outside provider may have been withdrawn. */
  maxAgeMs?: number;
}

/** Longer ones are verified every time, so that what is remembered stays within some megabytes. */
const maxTokenLength = 2_048;

/**
 * Verifies a token once and believes it until it expires: a signature costs 5 µs, of an outside provider some 70 µs of
 * WebCrypto's threads, a look into a Map one. Only what has been verified is remembered. Whether the session is still alive
 * is no part of it: `admit` asks that of every request.
 */
export function rememberVerified(
  verify: VerifyToken,
  { maxTokens = 10_000, maxAgeMs = 60_000 }: RememberOptions = {},
): VerifyToken {
  const known = new Map<string, { identity: Identity; verifyAgainAt: number }>();

  return async (token) => {
    if (token === undefined || token.length > maxTokenLength) return verify(token);
    const entry = known.get(token);
    if (entry) {
      known.delete(token);
      const now = Date.now();
      if (entry.identity.expiresAt * 1000 <= now) throw new ChatError('token_expired');
      if (entry.verifyAgainAt > now) {
        // Last in the Map's order: the most recently used.
        known.set(token, entry);
        return entry.identity;
      }
    }
    const identity = await verify(token);
    if (known.size >= maxTokens) {
      const oldest = known.keys().next().value;
      if (oldest !== undefined) known.delete(oldest);
    }
    known.set(token, { identity, verifyAgainAt: Date.now() + maxAgeMs });
    return identity;
  };
}
