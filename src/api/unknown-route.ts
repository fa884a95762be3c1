import type { Context, Hono } from 'hono';
import { METHOD_NAME_ALL } from 'hono/router';
import { TrieRouter } from 'hono/router/trie-router';
import { ChatError } from '../shared/errors.ts';
import type { ApiEnv } from './env.ts';
import { respondToError } from './problem.ts';

/**
 * Answers what no route takes: 404, or, where the path is known, 405 with the methods that are (RFC 9110, 15.5.6). To
 * OPTIONS that is the answer. A HEAD is a GET to Hono.
 */
export function createUnknownRoute(app: Hono<ApiEnv>): (c: Context<ApiEnv>) => Response {
  let methods: TrieRouter<string> | undefined;

  function methodsAt(path: string): string[] {
    if (!methods) {
      methods = new TrieRouter<string>();
      for (const route of app.routes) {
        if (route.method !== METHOD_NAME_ALL) methods.add(METHOD_NAME_ALL, route.path, route.method);
      }
    }
    const found = new Set(methods.match(METHOD_NAME_ALL, path)[0].map(([method]) => method));
    return [...found].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  }

  return (c) => {
    const known = methodsAt(c.req.path);
    if (known.length === 0) return respondToError(new ChatError('route_not_found'), c);
    const headers = { Allow: [...known, 'OPTIONS'].join(', ') };
    if (c.req.method === 'OPTIONS') return c.body(null, 204, headers);
    return respondToError(new ChatError('method_not_allowed', undefined, { headers }), c);
  };
}
