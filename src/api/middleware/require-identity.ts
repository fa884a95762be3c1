import type { Context, MiddlewareHandler } from 'hono';
import type { Admit, Identity, VerifyToken } from '../../auth/authenticate.ts';
import type { Fact, FactAnswer, RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';

/** @param want facts to ask for in the same round trip; their answers are `c.get('facts')` */
export type RequireIdentity = (
  want?: (identity: Identity, c: Context<ApiEnv>) => readonly Fact[],
) => MiddlewareHandler<ApiEnv>;

export interface EntryDependencies {
  verify: VerifyToken;
  admit: Admit;
  rateLimits: RateLimits;
}

/**
 * Lets in who has a live session, within the user's limit. Requests without a valid token count for the address: what those
 * do who share it with others is counted for themselves alone.
 * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `session_revoked`, `rate_limited`,
 * `database_unavailable`
 */
export type Entry = (
  token: string | undefined,
  address: () => string,
  want?: (identity: Identity) => readonly Fact[],
) => Promise<{ identity: Identity; facts: FactAnswer[] }>;

export function createEntry({ verify, admit, rateLimits }: EntryDependencies): Entry {
  return async (token, address, want) => {
    let identity: Identity;
    try {
      identity = await verify(token);
    } catch (error) {
      await rateLimits.consume([{ limit: 'address', key: address() }]);
      throw error;
    }
    // Both begin in one turn of the event loop: one round trip.
    const [facts] = await Promise.all([
      admit(identity, want?.(identity) ?? []),
      rateLimits.consume([{ limit: 'user', key: identity.userId }]),
    ]);
    return { identity, facts };
  };
}

export function createRequireIdentity(deps: EntryDependencies): RequireIdentity {
  const enter = createEntry(deps);
  return (want) => async (c, next) => {
    const token = bearerToken(c.req.header('authorization'));
    const { identity, facts } = await enter(token, () => c.get('address'), want && ((who) => want(who, c)));
    c.set('identity', identity);
    c.set('facts', facts);
    await next();
  };
}

/** RFC 6750; undefined for no or another scheme. */
export function bearerToken(authorization: string | null | undefined): string | undefined {
  return authorization?.match(/^Bearer +(.*[^ ]) *$/i)?.[1];
}
