import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { METHOD_NAME_ALL } from 'hono/router';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';
import { parametersOf } from '../validate.ts';

/**
 * Refuses parameters that the route does not know, those of routes that know none among them: a misspelt one would else be
 * taken for its default.
 * @throws ChatError `validation_failed`
 */
export const knownQuery: MiddlewareHandler<ApiEnv> = (c, next) => {
  if (c.req.url.includes('?')) {
    const handlers = matchedRoutes(c).filter(({ method }) => method !== METHOD_NAME_ALL);
    const known = handlers.flatMap(({ handler }) => parametersOf(handler));
    const unknown = Object.keys(c.req.queries()).filter((name) => !known.includes(name));
    if (handlers.length > 0 && unknown.length > 0) {
      const errors = unknown.slice(0, 20).map((path) => ({ path, message: 'is not a known parameter' }));
      throw new ChatError('validation_failed', undefined, { errors });
    }
  }
  return next();
};
