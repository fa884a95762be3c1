import type { Context, MiddlewareHandler } from 'hono';
import type { Admit, Identity, VerifyToken } from '../../auth/authenticate.ts';
import type { Fact, RateLimits } from '../../shared/admission/admission.ts';
import type { ApiEnv } from '../env.ts';

/** @param want facts to ask for in the same round trip; their answers are `c.get('facts')` */
export type RequireIdentity = (
  want?: (identity: Identity, c: Context<ApiEnv>) => readonly Fact[],
) => MiddlewareHandler<ApiEnv>;

export interface RequireIdentityDependencies {
  verify: VerifyToken;
  admit: Admit;
  rateLimits: RateLimits;
}

/** Lets in who has a live session, within the limits of the user and of the address. */
export function createRequireIdentity({
  verify,
  admit,
  rateLimits,
}: RequireIdentityDependencies): RequireIdentity {
  return (want) => async (c, next) => {
    const fromAddress = { limit: 'address', key: c.get('address') } as const;
    let identity: Identity;
    try {
      identity = await verify(bearerToken(c));
    } catch (error) {
      await rateLimits.consume([fromAddress]);
      throw error;
    }
    // Both begin in one tick: the Redis client sends them as one pipeline.
    const [facts] = await Promise.all([
      admit(identity, want?.(identity, c) ?? []),
      rateLimits.consume([{ limit: 'user', key: identity.userId }, fromAddress]),
    ]);
    c.set('identity', identity);
    c.set('facts', facts);
    await next();
  };
}

/** RFC 6750; undefined for no or another scheme. */
export function bearerToken(c: Context<ApiEnv>): string | undefined {
  return c.req.header('authorization')?.match(/^Bearer +(.*[^ ]) *$/i)?.[1];
}
