import { getPath } from 'hono/utils/url';

/**
 * What Hono routes by. Bun's `url` is a path alone where there is no Host (HTTP/1.0), which Hono would cut at its second
 * slash.
 */
export const requestPath = (request: Request): string =>
  request.url.startsWith('/') ? (request.url.split(/[?#]/, 1)[0] ?? '/') : getPath(request);

/** Whether a Host is given and is none (RFC 9112, 3.2): Bun then leaves it away, or makes an address of it that is none. */
export function hasBadHost({ url, headers }: Request): boolean {
  if (url.startsWith('/')) return (headers.get('host') ?? '') !== '';
  // The first byte of an IPv6 address, or of nothing.
  return url.startsWith('http://[') && !URL.canParse(url);
}
