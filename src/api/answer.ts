import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';

/** What every answer has, whichever way it was made. */

/** Nothing of ours is a page, but for the documentation, which sets its own policy. */
export const contentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";

/** What a page of an allowed origin may read of an answer's headers. */
export const exposedHeaders = 'Retry-After,X-Request-Id';

/** For answers that no browser is to show or frame. The rest of hono/secure-headers is about pages. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Nobody keeps what is somebody's own. The open routes, whose answers are the same for all, say so themselves. */
export const cacheControl = 'no-store';

const oneYear = 'max-age=31536000';

/**
 * `Strict-Transport-Security`, where a proxy of ours has ended TLS; a browser must not be told so in plain text (RFC 6797).
 * @param trustProxy whether `X-Forwarded-Proto` is a proxy's word
 */
export function strictTransport(headers: Headers, trustProxy: boolean): string | undefined {
  if (!trustProxy) return undefined;
  return /(?:^|,)\s*https\s*$/i.test(headers.get('x-forwarded-proto') ?? '') ? oneYear : undefined;
}

/** The caller's own where it is sane. */
export function requestIdOf(given: string | null | undefined): string {
  return typeof given === 'string' && /^[\w\-=]{1,128}$/.test(given) ? given : newId();
}

export interface RequestLine {
  requestId: string;
  method: string;
  route: string;
  chatId: string | undefined;
  userId: string | undefined;
  status: number;
  startedAt: number;
}

/** Asked every few seconds, by machines. */
const probes: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** Told by the failure log, which counts them. */
const counted: ReadonlySet<number> = new Set([429, 503]);

/**
 * Writes one line a request, under its id. The route's pattern and the chat's id stand for the address: the rest of it
 * may hold an email, and headers and bodies hold tokens, passwords and messages. Accepted sends, which are most of all
 * requests, probes, and what is refused by the thousand are told at `debug`.
 */
export function createRequestLog(log: Logger): (status: number, line: () => RequestLine) => void {
  // These lines hold nothing to redact, and looking for it costs more than writing them.
  const requests = log.child({}, { redact: [] });

  return (status, line) => {
    const many = status === 202 || counted.has(status);
    if (!requests.isLevelEnabled(many ? 'debug' : 'info')) return;
    const { startedAt, ...fields } = line();
    requests[many || probes.has(fields.route) ? 'debug' : 'info'](
      { ...fields, durationMs: Math.round((performance.now() - startedAt) * 10) / 10 },
      'request',
    );
  };
}
