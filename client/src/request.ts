import { backoffMs, type Pauses } from './backoff.ts';
import type { ErrorCode, Problem } from './contract.ts';
import { ConfabError } from './error.ts';
import type { Tokens } from './tokens.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Requests {
  /** Once. @throws ConfabError */
  once<Body>(method: Method, path: string, body?: object): Promise<Body>;
  /** Again after what a pause mends, as all but a creation may be. @throws ConfabError */
  patiently<Body>(method: Method, path: string, body?: object): Promise<Body>;
  /** By the server's clock, as far as it has said: a device's may be wrong by hours. */
  serverNow(): number;
}

/** The api promises an answer within 5 s. */
const timeoutMs = 12_000;
const mostTries = 4;

/** Whether the same request may come through later. */
export const isTransient = ({ status, code }: ConfabError): boolean =>
  status === undefined ||
  status >= 500 ||
  status === 401 ||
  status === 408 ||
  status === 429 ||
  (status === 409 && code === 'server_busy');

export const asError = (error: unknown): ConfabError =>
  error instanceof ConfabError ? error : new ConfabError('offline', String(error));

export function createRequests(url: string, tokens: Tokens, pauses: Pauses): Requests {
  /** Of this device's clock, in ms. */
  let ahead = 0;

  async function fetchOnce(token: string, method: Method, path: string, body?: object): Promise<Response> {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(), timeoutMs);
    try {
      return await fetch(url + path, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body ? { 'Content-Type': 'application/json' } : {}),
        },
        signal: end.signal,
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async function attempt(
    refused: string | undefined,
    method: Method,
    path: string,
    body?: object,
  ): Promise<unknown> {
    const token = await tokens.get(refused);
    if (token === undefined || token === refused)
      throw new ConfabError('token_missing', 'Nobody is signed in.', { status: 401 });
    const response = await fetchOnce(token, method, path, body);
    const date = Date.parse(response.headers.get('Date') ?? '');
    if (date) ahead = Date.now() - date;
    const text = await response.text();
    if (response.ok) return text === '' ? undefined : JSON.parse(text);
    const problem = parsed(text);
    const code = problem?.code ?? 'internal_error';
    if (isRefused(code) && refused === undefined) return attempt(token, method, path, body);
    const retryAfterMs = 1_000 * Number(response.headers.get('Retry-After') ?? 0) || undefined;
    throw new ConfabError(code, problem?.detail ?? `${response.status} of ${method} ${path}`, {
      status: response.status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  const once = <Body>(method: Method, path: string, body?: object) =>
    attempt(undefined, method, path, body).catch((error) => {
      throw asError(error);
    }) as Promise<Body>;

  return {
    once,
    serverNow: () => Date.now() - ahead,
    async patiently<Body>(method: Method, path: string, body?: object) {
      for (let tries = 1; ; tries += 1) {
        try {
          return await once<Body>(method, path, body);
        } catch (cause) {
          const error = asError(cause);
          if (tries === mostTries || error.status === 401 || !isTransient(error)) throw error;
          await pauses.wait(backoffMs(tries - 1), error.retryAfterMs);
        }
      }
    },
  };
}

const isRefused = (code: ErrorCode): boolean => code === 'token_expired' || code === 'token_invalid';

function parsed(text: string): Problem | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
