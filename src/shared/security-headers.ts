/** Nothing of ours is a page, but for the documentation, which sets its own policy. */
export const contentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";

/**
 * For answers that no browser is to show or frame; HSTS is set by whoever ends TLS. The rest of hono/secure-headers is
 * about pages.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Of an answer that no layer of ours goes over once more. */
export const bareHeaders: Readonly<Record<string, string>> = {
  ...securityHeaders,
  'Cache-Control': 'no-store',
  'Content-Security-Policy': contentSecurityPolicy,
};
