import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { secureHeaders } from 'hono/secure-headers';
import type { ApiEnv } from '../env.ts';

/** Nothing of ours is a page, but for the documentation, which sets its own. */
export function securityHeaders(): MiddlewareHandler<ApiEnv> {
  return secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    // Whoever ends TLS decides that.
    strictTransportSecurity: false,
    xFrameOptions: 'DENY',
    overwrite: false,
  });
}

/** Tokens travel in a header, never in a cookie: no credentials, and a foreign origin merely gets no answer to read. */
export function crossOrigin(allowedOrigin: (origin: string) => boolean): MiddlewareHandler<ApiEnv> {
  return cors({
    origin: (origin) => (origin !== '' && allowedOrigin(origin) ? origin : null),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id'],
    exposeHeaders: ['Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}
