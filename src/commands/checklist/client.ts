import type { Problem } from '../../shared/contract.ts';

const answerWithinMs = 10_000;
/** Of what is answered by `server_busy`; each waits as long as it says. */
const mostAttempts = 4;

/** What a step says when the deployment does not do its part. */
export class StepFailure extends Error {
  override name = 'StepFailure';
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: each step checks what it takes from it
  body: any;
}

export interface RestClient {
  readonly url: string;
  get(path: string, token?: string): Promise<Answer>;
  post(path: string, body: unknown, token?: string): Promise<Answer>;
  /** @param actAs the user as whom the host's own backend asks */
  call(method: string, path: string, token?: string, body?: unknown, actAs?: string): Promise<Answer>;
}

/** @throws StepFailure when nothing answers at the address */
export function createRestClient(url: string): RestClient {
  const once = async (
    ...[method, path, token, body, actAs]: Parameters<RestClient['call']>
  ): Promise<Answer & { retryAfterMs: number }> => {
    const request = `${method} ${url}${path}`;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(actAs === undefined ? {} : { 'X-Act-As': actAs }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerWithinMs),
    }).catch((error: unknown) => {
      throw new StepFailure(`${request}: no answer (${error instanceof Error ? error.message : error})`);
    });
    const text = await response.text();
    const retryAfterMs = 1_000 * Number(response.headers.get('Retry-After'));
    return { status: response.status, body: parseJson(text), retryAfterMs };
  };
  const call = async (...asked: Parameters<RestClient['call']>) => {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await once(...asked);
      if (answer.body?.code !== 'server_busy' || attempt === mostAttempts) return answer;
      await Bun.sleep(answer.retryAfterMs);
    }
  };
  return {
    url,
    get: (path, token) => call('GET', path, token),
    post: (path, body, token) => call('POST', path, token, body),
    call,
  };
}

/** @throws StepFailure with what the deployment said instead */
export function expectStatus(what: string, answer: Answer, ...wanted: number[]): void {
  if (wanted.includes(answer.status)) return;
  const problem: Partial<Problem> = answer.body ?? {};
  const said =
    problem.code === undefined
      ? 'not an answer of Confab'
      : `${problem.code}: ${problem.detail}, request ${problem.requestId}`;
  throw new StepFailure(`${what} answered ${answer.status} in place of ${wanted.join(' or ')} (${said})`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
