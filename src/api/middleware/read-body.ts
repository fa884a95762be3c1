import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';

export const maxBodyBytes = 64 * 1024;

/**
 * Counts what arrives, also of a chunked body, and reads it whole before the request's deadline begins: a slow client is
 * not a slow database.
 */
export function readBody(): MiddlewareHandler<ApiEnv> {
  const limit = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new ChatError('body_too_large', `The body may have ${maxBodyBytes} bytes.`);
    },
  });
  return (c, next) =>
    limit(c, async () => {
      if (c.req.raw.body) await c.req.arrayBuffer();
      await next();
    }) as Promise<void>;
}
