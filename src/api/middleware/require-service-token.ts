import { timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';
import { bearerToken } from './require-identity.ts';

/** For the operator's own backend: `Authorization: Bearer <SERVICE_TOKEN>`. */
export function requireServiceToken(serviceToken: string): MiddlewareHandler<ApiEnv> {
  const expected = digest(serviceToken);
  return async (c, next) => {
    const given = bearerToken(c.req.header('authorization'));
    if (given === undefined) throw new ChatError('token_missing');
    // Digests have one length: the comparison tells nothing by its time.
    if (!timingSafeEqual(digest(given), expected)) throw new ChatError('token_invalid');
    await next();
  };
}

const digest = (token: string): Buffer => new Bun.CryptoHasher('sha256').update(token).digest();
