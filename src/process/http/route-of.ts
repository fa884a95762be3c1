import { RegExpRouter } from 'hono/router/reg-exp-router';
import { tryDecodeURIComponent } from 'hono/utils/url';
import { ChatError } from '../../shared/errors.ts';
import { empty } from './answer.ts';
import { requestPath } from './request-path.ts';
import { type Route, route } from './route.ts';

export interface Found {
  route: Route;
  /** What stands in the path for the route's parameters, as it is given. */
  given: Readonly<Record<string, string>>;
}

/** Finds the route of a request; where there is none, one that says so. */
export function createRouteOf(routes: readonly Route[]): (method: string, path: string) => Found {
  const router = new RegExpRouter<Route>();
  /** Those without parameters, by path: the router takes none where another has a parameter, which does not stand for it. */
  const fixed = new Map<string, Map<string, Found>>();
  for (const one of routes) {
    if (one.path.includes(':')) router.add(one.method, one.path, one);
    else fixed.getOrInsertComputed(one.path, () => new Map()).set(one.method, { route: one, given: {} });
  }

  function routeOf(method: string, path: string): Found | undefined {
    const asked = method === 'HEAD' ? 'GET' : method;
    const here = fixed.get(path);
    if (here) return here.get(asked);
    const [[found], texts] = router.match(asked, path);
    if (!found) return undefined;
    const [one, places] = found;
    const given: Record<string, string> = {};
    for (const name in places) {
      const text = String(texts?.[Number(places[name])]);
      given[name] = text.includes('%') ? tryDecodeURIComponent(text) : text;
    }
    return { route: one, given };
  }

  /** In the order of the routes. */
  function methodsAt(path: string): string[] {
    const known = routes.filter((one) => routeOf(one.method, path)?.route === one);
    return known.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  }

  const unknown = { route: unknownRoute(methodsAt), given: {} };
  return (method, path) => routeOf(method, path) ?? unknown;
}

/**
 * Answers what no route takes: 404, or, where the path is known, 405 with the methods that are (RFC 9110, 15.5.6). To
 * OPTIONS that is the answer, but to a browser's question whether a page may ask.
 */
const unknownRoute = (methodsAt: (path: string) => string[]): Route =>
  route({
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
