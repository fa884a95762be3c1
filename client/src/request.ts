import { type Pauses, persist } from './backoff.ts';
import type { Problem } from './contract.ts';
import { ConfabError } from './error.ts';
import type { Tokens } from './tokens.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Requests {
  /** Once. @throws ConfabError */
  once<Body>(method: Method, path: string, body?: object | undefined): Promise<Body>;
  /** Again after what a pause mends, as all but a creation may be. @throws ConfabError */
  patiently<Body>(method: Method, path: string, body?: object | undefined): Promise<Body>;
  /** By the server's clock, as far as it has said: a device's may be wrong by hours. */
  serverNow(): number;
}

/** The api promises an answer within 5 s. */
const longestMs = 12_000;
const mostTries = 4;

/** @param timeoutMs of an answer, its body too */
export function createRequests(url: string, tokens: Tokens, pauses: Pauses, timeoutMs = longestMs): Requests {
  /** Of this device's clock, in ms. */
  let ahead = 0;
  /** The server wants to be left alone by whose tokens these are: by all of their requests. */
  let closed = { until: 0, life: 0 };

  async function answerTo(token: string, { method, path, body }: Asked): Promise<[Response, string]> {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(), timeoutMs);
    try {
      const type = body && { 'Content-Type': 'application/json' };
      const headers = { Authorization: `Bearer ${token}`, ...type };
      const response = await fetch(url + path, { method, headers, body: body ?? null, signal: end.signal });
      return [response, await response.text()];
    } finally {
      clearTimeout(timer);
    }
  }

  /** With a token of whoever asked, and answered to nobody else. */
  async function attempt(asked: Asked, refused?: string): Promise<unknown> {
    const { life } = asked;
    const signedIn = (is: boolean): void => {
      if (!is || life !== tokens.life())
        throw new ConfabError('token_missing', 'Who asked is not signed in.', { status: 401 });
    };
    while (closed.life === life && closed.until > performance.now())
      await sleep(closed.until - performance.now());
    signedIn(true);
    const token = (await tokens.get(refused)) ?? '';
    signedIn(token !== '' && token !== refused);
    const [{ ok, status, headers }, text] = await answerTo(token, asked);
    signedIn(true);
    const date = Date.parse(headers.get('Date') ?? '');
    if (date) ahead = Date.now() - date;
    if (ok) return text && JSON.parse(text);
    const { code, detail } = problemOf(text, status);
    if (isRefused(code) && refused === undefined) return attempt(asked, token);
    const retryAfterMs = 1_000 * Number(headers.get('Retry-After')) || undefined;
    // Not all at the same moment.
    if (retryAfterMs) closed = { until: performance.now() + retryAfterMs * (1 + Math.random() / 5), life };
    const message = detail ?? `${status} of ${asked.method} ${asked.path}`;
    throw new ConfabError(code, message, { status, retryAfterMs });
  }

  const asks =
    (mostTries: number): Requests['once'] =>
    async <Body>(method: Method, path: string, body?: object) => {
      const asked = { method, path, life: tokens.life(), body: body && JSON.stringify(body) };
      const answer = await persist(
        pauses,
        () => attempt(asked),
        (failures) => failures === mostTries,
      );
      return answer as Body;
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

/** No longer than a timer holds. */
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 2 ** 31 - 1)));

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
