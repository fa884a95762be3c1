import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from '../../shared/log.ts';
import type { ApiEnv } from '../env.ts';

/** Asked every few seconds, by machines. */
const probes: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/**
 * One line a request, under its id. The route's pattern and the chat's id stand for the address: the rest of it may hold
 * an email, and headers and bodies hold tokens, passwords and messages.
 */
export function accessLog(log: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const requestLog = log.child({ requestId: c.get('requestId') });
    c.set('log', requestLog);
    const startedAt = performance.now();
    await next();
    const route = routePath(c, -1);
    requestLog[probes.has(route) ? 'debug' : 'info'](
      {
        method: c.req.method,
        route,
        chatId: c.req.param('chatId'),
        userId: c.get('identity')?.userId,
        status: c.res.status,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
      },
      'request',
    );
  };
}
