import type { Context, MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { newId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import type { ApiEnv } from '../env.ts';
import { exposedHeaders } from './preflight.ts';

/** Nothing of ours is a page, but for the documentation, which sets its own policy. */
const contentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";

/** What hono/secure-headers sets, without HSTS: whoever ends TLS decides that. */
const securityHeaders: readonly (readonly [string, string])[] = [
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Origin-Agent-Cluster', '?1'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-DNS-Prefetch-Control', 'off'],
  ['X-Download-Options', 'noopen'],
  ['X-Frame-Options', 'DENY'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
  ['X-XSS-Protection', '0'],
];

/** Asked every few seconds, by machines. */
const probes: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/**
 * The outermost layer: an id, the headers of every answer, and a line in the log. One layer instead of the four that Hono
 * has for it, and headers set once the answer is there: set before, Hono copies the answer for each (measured: 40 µs a
 * request less).
 */
export function aroundRequest(
  log: Logger,
  allowedOrigin: (origin: string) => boolean,
): MiddlewareHandler<ApiEnv> {
  // These lines hold nothing to redact, and looking for it costs more than writing them.
  const requests = log.child({}, { redact: [] });

  return async (c, next) => {
    const startedAt = performance.now();
    const requestId = requestIdOf(c);
    c.set('requestId', requestId);
    c.set('log', log);
    await next();

    const { headers } = c.res;
    headers.set('X-Request-Id', requestId);
    for (const [name, value] of securityHeaders) headers.set(name, value);
    if (!headers.has('Content-Security-Policy'))
      headers.set('Content-Security-Policy', contentSecurityPolicy);
    if (c.req.method !== 'OPTIONS') {
      const origin = c.req.header('origin');
      if (origin !== undefined && origin !== '' && allowedOrigin(origin)) {
        headers.set('Access-Control-Allow-Origin', origin);
      }
      headers.set('Access-Control-Expose-Headers', exposedHeaders);
      headers.append('Vary', 'Origin');
    }
    writeLine(requests, c, startedAt);
  };
}

/** The caller's own where it is sane. */
function requestIdOf(c: Context<ApiEnv>): string {
  const given = c.req.header('x-request-id');
  return given !== undefined && /^[\w\-=]{1,128}$/.test(given) ? given : newId();
}

/**
 * One line a request, under its id. The route's pattern and the chat's id stand for the address: the rest of it may hold
 * an email, and headers and bodies hold tokens, passwords and messages. Probes and accepted sends, which are most of all
 * requests, are told at `debug`.
 */
function writeLine(log: Logger, c: Context<ApiEnv>, startedAt: number): void {
  const { status } = c.res;
  const accepted = status === 202;
  if (!log.isLevelEnabled(accepted ? 'debug' : 'info')) return;
  const route = routePath(c, -1);
  log[accepted || probes.has(route) ? 'debug' : 'info'](
    {
      requestId: c.get('requestId'),
      method: c.req.method,
      route,
      chatId: c.req.param('chatId'),
      userId: c.get('identity')?.userId,
      status,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    },
    'request',
  );
}
