import type { Hono } from 'hono';
import { ChatError } from '../../shared/errors.ts';
import { empty } from './answer.ts';
import { requestPath } from './request-path.ts';
import { type Route, route } from './route.ts';

/**
 * Answers what no route takes: 404, or, where the path is known, 405 with the methods that are (RFC 9110, 15.5.6). To
 * OPTIONS that is the answer, but to a browser's question whether a page may ask.
 */
export function createUnknownRoute(app: Pick<Hono, 'router' | 'routes'>): Route {
  /** In the order of the routes. To Hono's router a HEAD is a GET. */
  function methodsAt(path: string): string[] {
    const known = app.routes.filter(({ method, path: pattern }) =>
      app.router.match(method, path)[0].some(([[, found]]) => found.path === pattern),
    );
    return known.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  }

  return route({
    method: 'GET',
    path: '/*',
    anyQuery: true,
    handle({ request }) {
      const { method, headers } = request;
      const isOptions = method === 'OPTIONS';
      if (isOptions && headers.has('origin') && headers.has('access-control-request-method')) {
        return empty(204, preflightHeaders(headers.get('access-control-request-headers')));
      }
      const known = methodsAt(requestPath(request));
      if (known.length === 0) throw new ChatError('route_not_found');
      const allow = { Allow: [...known, 'OPTIONS'].join(', ') };
      if (isOptions) return empty(204, allow);
      throw new ChatError('method_not_allowed', undefined, { headers: allow });
    },
  });
}

/**
 * Tokens travel in a header, never in a cookie: no credentials, and a foreign origin merely gets no answer to read. So a page
 * may send whatever headers its libraries add.
 */
const preflightHeaders = (wanted: string | null): Record<string, string> => ({
  'Access-Control-Allow-Methods': 'GET,HEAD,POST,PUT,PATCH,DELETE',
  'Access-Control-Max-Age': '600',
  ...(wanted
    ? {
        'Access-Control-Allow-Headers': wanted
          .split(',')
          .map((name) => name.trim())
          .join(','),
        Vary: 'Origin, Access-Control-Request-Headers',
      }
    : {}),
});
