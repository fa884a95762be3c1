import { backoffMs, type Pauses } from './backoff.ts';
import type { Problem } from './contract.ts';
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
const longestMs = 12_000;
const mostTries = 4;

/** Whether the same request may come through later. */
export const isTransient = ({ status = 0, code }: ConfabError): boolean =>
  code === 'offline' || status >= 500 || status === 401 || status === 408 || status === 429;

/** Somebody has to sign in, which makes the connection ready. */
export const isSignedOut = ({ status, code }: ConfabError): boolean => status === 401 && code !== 'offline';

export const asError = (error: unknown): ConfabError =>
  error instanceof ConfabError ? error : new ConfabError('offline', String(error));

/** @param timeoutMs of an answer, its body too */
export function createRequests(url: string, tokens: Tokens, pauses: Pauses, timeoutMs = longestMs): Requests {
  /** Of this device's clock, in ms. */
  let ahead = 0;

  async function answerTo(token: string, { method, path, body }: Asked): Promise<[Response, string]> {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(), timeoutMs);
    try {
      const response = await fetch(url + path, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body ? { 'Content-Type': 'application/json' } : {}),
        },
        signal: end.signal,
        ...(body ? { body } : {}),
      });
      return [response, await response.text()];
    } finally {
      clearTimeout(timer);
    }
  }

  /** With a token of whoever asked, and answered to nobody else. */
  async function attempt(asked: Asked, refused?: string): Promise<unknown> {
    const signedIn = (is: boolean): void => {
      if (!is || asked.life !== tokens.life())
        throw new ConfabError('token_missing', 'Who asked is not signed in.', { status: 401 });
    };
    signedIn(true);
    const token = (await tokens.get(refused)) ?? '';
    signedIn(token !== '' && token !== refused);
    const [response, text] = await answerTo(token, asked);
    signedIn(true);
    const date = Date.parse(response.headers.get('Date') ?? '');
    if (date) ahead = Date.now() - date;
    const { ok, status } = response;
    if (ok) return text === '' ? undefined : JSON.parse(text);
    const { code, detail } = problemOf(text, status);
    if (isRefused(code) && refused === undefined) return attempt(asked, token);
    const retryAfterMs = 1_000 * Number(response.headers.get('Retry-After') ?? 0) || undefined;
    throw new ConfabError(code, detail ?? `${status} of ${asked.method} ${asked.path}`, {
      status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  const asks = (mostTries: number): Requests['once'] =>
    async function ask<Body>(method: Method, path: string, body?: object) {
      const asked = { method, path, life: tokens.life(), body: body && JSON.stringify(body) };
      for (let failures = 0; ; failures += 1) {
        try {
          return (await attempt(asked)) as Body;
        } catch (cause) {
          const error = asError(cause);
          const isLast = failures + 1 === mostTries || isSignedOut(error) || !isTransient(error);
          if (isLast) throw error;
          await pauses.wait(backoffMs(failures), error.retryAfterMs);
        }
      }
    };

  return { once: asks(1), patiently: asks(mostTries), serverNow: () => Date.now() - ahead };
}

interface Asked {
  readonly method: Method;
  readonly path: string;
  readonly body: string | undefined;
  /** Of the tokens. */
  readonly life: number;
}

const isRefused = (code: ConfabError['code']): boolean =>
  code === 'token_expired' || code === 'token_invalid';

/** What does not say its code is not the api's, but of something before it: that says nothing of the request, unless this is too large for it. */
function problemOf(text: string, status: number): { code: ConfabError['code']; detail?: string } {
  try {
    const problem: Problem = JSON.parse(text);
    if (typeof problem.code === 'string') return problem;
  } catch {}
  return { code: status === 413 ? 'body_too_large' : 'offline' };
}
