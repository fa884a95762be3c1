import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { AllowedOrigin } from '../../shared/origins.ts';
import { exposedHeaders } from '../answer.ts';
import type { ApiEnv } from '../env.ts';

/**
 * Answers a browser's question whether it may ask. Tokens travel in a header, never in a cookie: no credentials, and a
 * foreign origin merely gets no answer to read. Whatever headers an allowed page wants to send, it may: tracers add theirs.
 */
export function preflight(allowedOrigin: AllowedOrigin): MiddlewareHandler<ApiEnv> {
  const answer = cors({
    origin: (origin, c) => (origin !== '' && allowedOrigin(origin, c.req.raw) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposeHeaders: exposedHeaders.split(','),
    maxAge: 600,
  });
  return (c, next) => (c.req.method === 'OPTIONS' ? answer(c, next) : next());
}
