import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { exposedHeaders } from '../answer.ts';
import type { ApiEnv } from '../env.ts';

/**
 * Answers a browser's question whether it may ask. Tokens travel in a header, never in a cookie: no credentials, and a
 * foreign origin merely gets no answer to read.
 */
export function preflight(allowedOrigin: (origin: string) => boolean): MiddlewareHandler<ApiEnv> {
  const answer = cors({
    origin: (origin) => (origin !== '' && allowedOrigin(origin) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id'],
    exposeHeaders: exposedHeaders.split(','),
    maxAge: 600,
  });
  return (c, next) => (c.req.method === 'OPTIONS' ? answer(c, next) : next());
}
