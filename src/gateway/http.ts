import { errorTable } from '../shared/errors.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import { bareHeaders, strictTransport } from '../shared/security-headers.ts';
import { maxFirstFrameBytes } from './limits.ts';

/** Codes of the Engine.IO protocol. */
const unknownTransport = 0;
export const unknownSid = 1;
const badMethod = 2;
export const badRequest = 3;
export const forbidden = 4;
const unsupportedVersion = 5;

/** What a request is answered with that is refused (Engine.IO protocol). */
export function refusal(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ code, message }, { status, headers });
}

/** Undefined for a request that begins a connection, or may belong to one. An empty `sid` is none. */
export function refuseRequest({ method, headers }: Request, { searchParams }: URL): Response | undefined {
  const transport = searchParams.get('transport');
  // Most often a proxy that does not pass the header on.
  if (transport === 'websocket' && headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    return refusal(400, badRequest, 'transport=websocket without an Upgrade header');
  }
  if (method === 'POST') {
    // Before a body is read.
    const length = headers.get('content-length');
    if (length === null) return refusal(411, badRequest, 'a body needs a Content-Length');
    if (!(Number(length) <= maxFirstFrameBytes))
      return refusal(413, badRequest, errorTable.body_too_large.title);
  }
  if (transport !== 'polling' && transport !== 'websocket') {
    return refusal(400, unknownTransport, 'Transport unknown');
  }
  const ofSession = Boolean(searchParams.get('sid'));
  if (method !== 'GET' && !(ofSession && transport === 'polling')) {
    return refusal(400, badMethod, 'Bad handshake method');
  }
  if (!ofSession && searchParams.get('EIO') !== '4') {
    return refusal(400, unsupportedVersion, 'Unsupported protocol version');
  }
  return undefined;
}

export const socketPath = '/socket.io/';
/** Of all that is the gateway's on a port that it shares. */
export const socketUrl = /^(?:https?:\/\/[^/?#]*)?\/socket\.io(?:[/?#]|$)/;
const plainHandshake = `${socketPath}?EIO=4&transport=websocket`;

/** The same as plain clients write it, to the letter: it needs no parsing, which would be 6 µs of a connect's hundred. */
export function isPlainHandshake({ method, headers, url }: Request): boolean {
  return (
    url.endsWith(plainHandshake) &&
    // The first slash after `http://` and a host.
    url.indexOf('/', 8) === url.length - plainHandshake.length &&
    method === 'GET' &&
    headers.get('upgrade') === 'websocket'
  );
}

/**
 * What every answer has. Long polling from a page of another origin needs the latter part of it; without an allowed origin there
 * is none.
 */
export function addHeaders(
  headers: Headers,
  request: Request,
  { allowedOrigin, trustProxy }: { allowedOrigin: AllowedOrigin; trustProxy: boolean },
): void {
  for (const [name, value] of Object.entries(bareHeaders)) headers.set(name, value);
  const strict = strictTransport(request.headers, trustProxy);
  if (strict !== undefined) headers.set('Strict-Transport-Security', strict);
  headers.append('Vary', 'Origin');
  const origin = request.headers.get('origin');
  if (origin === null || !allowedOrigin(origin, request)) return;
  headers.set('Access-Control-Allow-Origin', origin);
  headers.set('Access-Control-Allow-Credentials', 'true');
}

/**
 * The address of a request, which those of some clients do not give whole: HTTP/1.0 needs no `Host`, and in it anything may stand.
 * @returns undefined for one whose Host is no host (RFC 9112, 3.2)
 */
export function urlOf({ url, headers }: Request): URL | undefined {
  return (
    URL.parse(url) ?? (headers.get('host') ? undefined : (URL.parse(url, 'http://localhost') ?? undefined))
  );
}

/** Names of headers, with commas between them. */
const headerNames = /^[\w!#$%&'*+.^`|~, -]{1,2000}$/;

/** Pages send what they like: `extraHeaders` of a client, those of a tracer. */
export function preflight(request: Request): Response {
  const wanted = request.headers.get('access-control-request-headers') ?? '';
  const headers = new Headers({
    'Access-Control-Allow-Methods': 'GET, POST',
    'Access-Control-Allow-Headers': headerNames.test(wanted) ? wanted : 'Authorization, Content-Type',
    'Access-Control-Max-Age': '600',
    Vary: 'Access-Control-Request-Headers',
  });
  return new Response(null, { status: 204, headers });
}
