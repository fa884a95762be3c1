import type { Context, MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { AllowedOrigin } from '../../shared/origins.ts';
import { exposedHeaders } from '../answer.ts';
import type { ApiEnv } from '../env.ts';

/** A browser's question whether a page may ask; any other OPTIONS asks for the methods of a route. */
export const isPreflight = (c: Context<ApiEnv>): boolean =>
  c.req.method === 'OPTIONS' &&
  c.req.header('origin') !== undefined &&
  c.req.header('access-control-request-method') !== undefined;

/**
 * Answers a preflight. Tokens travel in a header, never in a cookie: no credentials, and a foreign origin merely gets no
 * answer to read. So a page may send whatever headers its libraries add.
 */
export function preflight(allowedOrigin: AllowedOrigin): MiddlewareHandler<ApiEnv> {
  const answer = cors({
    origin: (origin, c) => (origin !== '' && allowedOrigin(origin, c.req.raw) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposeHeaders: exposedHeaders.split(','),
    maxAge: 600,
  });
  return (c, next) => (isPreflight(c) ? answer(c, next) : next());
}
