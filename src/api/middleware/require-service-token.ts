import { timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { ChatError } from '../../shared/errors.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import { bearerToken } from './require-identity.ts';

/** For the operator's own backend: `Authorization: Bearer <SERVICE_TOKEN>`. Without it a request counts for its address. */
export function requireServiceToken(serviceToken: string, rateLimits: RateLimits): MiddlewareHandler<ApiEnv> {
  const expected = digest(serviceToken);
  return async (c, next) => {
    const given = bearerToken(c.req.header('authorization'));
    // Digests have one length: the comparison tells nothing by its time.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next();
    await rateLimits.consume([{ limit: 'address', key: c.get('address') }]);
    throw new ChatError(given === undefined ? 'token_missing' : 'token_invalid');
  };
}

const digest = (token: string): Buffer => new Bun.CryptoHasher('sha256').update(token).digest();
