import type { TokenPair } from '../src/shared/contract.ts';

/** Somebody who has registered at a process that comes and goes. */
export interface Account {
  userId: string;
  email: string;
  token: string;
  /** Asked again at the end: whether it is still there. */
  kept: boolean;
}

const password = 'correct horse battery staple';
const retryMs = 150;
const timeoutMs = 7_000;

/**
 * Registers and signs in, as long as it takes until it is answered.
 * @throws Error when there was no answer within the deadline, or an answer that nobody can do anything about
 */
export async function makeAccount(url: string, email: string, deadlineMs: number): Promise<Account> {
  const until = performance.now() + deadlineMs;
  // 409: it was registered by a request that was not answered.
  await insist(`${url}/auth/register`, email, [201, 409], until);
  const { accessToken, user } = (await insist(`${url}/auth/login`, email, [200], until)) as TokenPair;
  return { userId: user.id, email, token: accessToken, kept: true };
}

/** Whether its password is still known. */
export async function isKept(url: string, { email }: Account): Promise<boolean> {
  const answer = await post(`${url}/auth/login`, email);
  return answer?.status === 200;
}

async function insist(
  url: string,
  email: string,
  wanted: readonly number[],
  until: number,
): Promise<unknown> {
  while (performance.now() < until) {
    const answer = await post(url, email);
    if (answer && wanted.includes(answer.status)) return answer.body;
    if (answer && answer.status !== 503 && answer.status !== 429) {
      throw new Error(`POST ${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    await Bun.sleep(retryMs);
  }
  throw new Error(`POST ${url} was not answered within its deadline`);
}

/** Undefined: no answer. */
async function post(url: string, email: string): Promise<{ status: number; body: unknown } | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email, password }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: answer.status, body: await answer.json() };
  } catch {
    return undefined;
  }
}
