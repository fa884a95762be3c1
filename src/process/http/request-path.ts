import { getPath, getQueryParams } from 'hono/utils/url';
import { ChatError } from '../../shared/errors.ts';

/**
 * What Hono routes by. Bun's `url` is a path alone where there is no Host (HTTP/1.0), which Hono would cut at its second
 * slash.
 */
export const requestPath = (request: Request): string =>
  request.url.startsWith('/') ? (request.url.split(/[?#]/, 1)[0] ?? '/') : getPath(request);

/** All values of each name. */
export const queryOf = ({ url }: Request): Record<string, string[]> =>
  url.includes('?') ? (getQueryParams(url) as Record<string, string[]>) : {};

/**
 * That a Host, where it is given, is one (RFC 9112, 3.2). Of another Bun leaves it away, or makes an address that is none.
 * @throws ChatError `malformed_request`
 */
export function assertHost({ url, headers }: Request): void {
  const bad = url.startsWith('/')
    ? (headers.get('host') ?? '') !== ''
    : // The first byte of an IPv6 address, or of nothing.
      url.startsWith('http://[') && !URL.canParse(url);
  if (bad) throw new ChatError('malformed_request', 'The Host header is not a host.');
}
