import type { MiddlewareHandler } from 'hono';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';
import { hasBadHost } from '../request-path.ts';

/** @throws ChatError `malformed_request` */
export const readableHost: MiddlewareHandler<ApiEnv> = (c, next) => {
  if (hasBadHost(c.req.raw)) throw new ChatError('malformed_request', 'The Host header is not a host.');
  return next();
};
