import { afterAll, expect, test } from 'bun:test';
import { createPauses } from '../../client/src/backoff.ts';
import { isTransient } from '../../client/src/error.ts';
import type { ConfabError } from '../../client/src/index.ts';
import { createRequests } from '../../client/src/request.ts';
import { createTabs } from '../../client/src/tabs.ts';
import { createTokens } from '../../client/src/tokens.ts';
import { eventually } from '../support/eventually.ts';

const tokenOf = (sub: string, more = ''): string => `.${btoa(JSON.stringify({ sub }))}.${more}`;
const [adas, bobs] = [tokenOf('ada'), tokenOf('bob')];

/** Whose requests came, and what they are answered. */
const heard: (string | null)[] = [];
let answer: () => Response | Promise<Response> = () => Response.json({});
const server = Bun.serve({
  port: 0,
  fetch(request) {
    heard.push(request.headers.get('Authorization'));
    return answer();
  },
});
afterAll(() => server.stop(true));

function createWorld(getToken: () => Promise<string> | string, timeoutMs?: number) {
  heard.length = 0;
  let others = 0;
  const alone = createTabs('', () => {}, true);
  const tokens = createTokens(getToken, alone, () => {
    others += 1;
  });
  const pauses = createPauses();
  const requests = createRequests(server.url.origin, tokens, pauses, timeoutMs);
  return { tokens, pauses, requests, others: () => others };
}

const problem = (status: number, code: string, headers = {}) => Response.json({ code }, { status, headers });
const failed = (asked: Promise<unknown>): Promise<ConfabError> =>
  asked.then(
    () => Promise.reject(new Error('it was answered')),
    (error) => error,
  );

test('a token that was asked for before somebody else signed in is nobody’s', async () => {
  const given = Promise.withResolvers<string>();
  const { tokens, requests } = createWorld(() => given.promise);
  const asked = failed(requests.once('GET', '/'));
  tokens.forget();
  given.resolve(adas);
  expect(await asked).toMatchObject({ code: 'token_missing', status: 401 });
  expect(heard).toEqual([]);
});

test('what one asked for is neither asked with another’s token nor answered to them', async () => {
  const given = [adas, bobs];
  const { tokens, pauses, requests, others } = createWorld(() => given.shift() ?? bobs);
  answer = () => problem(503, 'server_busy', { 'Retry-After': '0' });
  const pausing = failed(requests.patiently('PUT', '/'));
  await eventually('it was asked', () => heard.length === 1);
  answer = () => problem(401, 'token_expired');
  const refused = await failed(requests.once('POST', '/', {}));
  expect(refused.code).toBe('token_missing');
  expect(others()).toBe(1);
  pauses.wake();
  expect((await pausing).code).toBe('token_missing');
  const late = Promise.withResolvers<Response>();
  answer = () => late.promise;
  const answered = failed(requests.once('GET', '/'));
  await eventually('it was asked', () => heard.length === 3);
  tokens.forget();
  late.resolve(Response.json({ secret: true }));
  expect((await answered).code).toBe('token_missing');
  expect(heard).toEqual([`Bearer ${adas}`, `Bearer ${adas}`, `Bearer ${bobs}`]);
});

test('another token of the same user goes on', async () => {
  const given = [adas, tokenOf('ada', 'new')];
  const { requests, others } = createWorld(() => given.shift()!);
  const answers = [problem(401, 'token_expired'), Response.json({ is: 'there' })];
  answer = () => answers.shift()!;
  expect(await requests.once<object>('GET', '/')).toEqual({ is: 'there' });
  expect(others()).toBe(0);
});

test('a server is left alone for as long as it says, by all requests of who asked, whatever wakes', async () => {
  const { pauses, requests, tokens } = createWorld(() => adas);
  const answers = [problem(429, 'rate_limited', { 'Retry-After': '0.3' })];
  answer = () => answers.shift() ?? Response.json({});
  const started = performance.now();
  const one = requests.patiently('GET', '/');
  await eventually('it was refused', () => answers.length === 0);
  await Bun.sleep(0);
  const other = requests.once('GET', '/');
  pauses.wake();
  await Promise.all([one, other]);
  expect(performance.now() - started).toBeGreaterThanOrEqual(299);
  answers.push(problem(429, 'rate_limited', { 'Retry-After': '600' }));
  await failed(requests.once('GET', '/'));
  tokens.forget();
  expect(await requests.once<object>('GET', '/')).toEqual({});
});

test('an answer whose body does not come is none', async () => {
  const { requests } = createWorld(() => adas, 50);
  answer = () =>
    new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('{')) }));
  expect((await failed(requests.once('GET', '/'))).code).toBe('offline');
});

test('a refusal that is not the server’s says nothing of the request', async () => {
  const { requests } = createWorld(() => adas);
  for (const [status, type] of [
    [403, 'text/html'],
    [404, 'application/json'],
    [401, 'text/html'],
  ] as const) {
    answer = () => new Response('{"message":"no"}', { status, headers: { 'Content-Type': type } });
    const error = await failed(requests.once('POST', '/', {}));
    expect({ code: error.code, isTransient: isTransient(error) }).toEqual({
      code: 'offline',
      isTransient: true,
    });
  }
  answer = () => problem(404, 'chat_not_found');
  expect(isTransient(await failed(requests.once('POST', '/', {})))).toBe(false);
  answer = () => new Response('too large', { status: 413 });
  expect(isTransient(await failed(requests.once('POST', '/', {})))).toBe(false);
});
