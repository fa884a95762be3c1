/** Nothing of ours is a page, but for the documentation, which sets its own policy. */
export const contentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";

/** For answers that no browser is to show or frame. The rest of hono/secure-headers is about pages. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Nobody keeps what is somebody's own. The open routes, whose answers are the same for all, say so themselves. */
export const cacheControl = 'no-store';

/** Of an answer of the gateway's own. */
export const bareHeaders: Readonly<Record<string, string>> = {
  ...securityHeaders,
  'Cache-Control': cacheControl,
  'Content-Security-Policy': contentSecurityPolicy,
};

const oneYear = 'max-age=31536000';

/**
 * `Strict-Transport-Security`, where a proxy of ours has ended TLS; a browser must not be told so in plain text (RFC 6797).
 * @param trustProxy whether `X-Forwarded-Proto` is a proxy's word
 */
export function strictTransport(headers: Headers, trustProxy: boolean): string | undefined {
  if (!trustProxy) return undefined;
  return /(?:^|,)\s*https\s*$/i.test(headers.get('x-forwarded-proto') ?? '') ? oneYear : undefined;
}
