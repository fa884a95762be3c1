import type { Problem } from './contract.ts';
import { errorTable } from './errors.ts';
import { newId } from './ids.ts';
import type { Logger } from './log.ts';
import { loggable } from './loggable.ts';
import { bareHeaders } from './security-headers.ts';

type Fetch<Data> = (request: Request, server: Bun.Server<Data>) => Response | Promise<Response>;

/**
 * Hands on requests whose URL can be parsed, which those of some clients cannot: HTTP/1.0 needs no `Host`, and in it anything
 * may stand. RFC 9112, section 3.2: what is no host is 400.
 */
export function answerable<Data>(fetch: Fetch<Data>): Fetch<Data> {
  return (request, server) => {
    const { url } = request;
    if (URL.canParse(url)) return fetch(request, server);
    if (request.headers.get('host')) return new Response(null, { status: 400, headers: bareHeaders });
    // Without a host it is what the request line says.
    const target = `http://localhost${url}`;
    if (!URL.canParse(target)) return new Response(null, { status: 400, headers: bareHeaders });
    return fetch(new Request(target, request), server);
  };
}

/** What nobody caught: Bun's own answer shows the source. */
export function unexpected(error: unknown, log: Logger | undefined): Response {
  const requestId = newId();
  const code = 'internal_error';
  log?.error({ requestId, code, err: loggable(error) }, 'request failed');
  const { status, title } = errorTable[code];
  const type = `urn:confab:error:${code}` as const;
  const problem: Problem = { type, title, status, code, detail: title, requestId };
  const headers = { ...bareHeaders, 'Content-Type': 'application/problem+json', 'X-Request-Id': requestId };
  return new Response(JSON.stringify(problem), { status, headers });
}
