import { expect, test } from 'bun:test';
import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { type Environment, parseConfig } from '../../src/shared/config.ts';
import type { Problem } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { createTestApi } from '../support/api.ts';
import { embeddedBase } from '../support/api-bases.ts';

const base = await embeddedBase();

/** No chat routes: what is not 404 was answered on the sends' own way. */
async function open(environment: Environment) {
  const { rateLimits } = parseConfig(environment);
  const { call, signUp } = await createTestApi({
    ...base,
    environment,
    rateLimits: createEmbeddedRateLimits(rateLimits),
    sendMessage: async () => ({ clientMessageId: newId(), brokerMessageId: newId() }),
  });
  const body = JSON.stringify({ content: 'hello' });
  const send = (token: string, headers: Record<string, string> = {}) =>
    call('POST', `/chats/${newId()}/messages`, body, {
      token,
      headers: { 'Content-Length': String(body.length), ...headers },
    });
  const statuses = async (times: number, ask: () => Promise<Response>) => {
    const all: number[] = [];
    for (let time = 0; time < times; time += 1) all.push((await ask()).status);
    return all;
  };
  return { send, statuses, signUp };
}

test('429: a user’s sends, with when to come again', async () => {
  const { send, statuses, signUp } = await open({ RATE_LIMIT_USER: '2' });
  const [ada, bob] = [await signUp(), await signUp()];
  expect(await statuses(2, () => send(ada.accessToken))).toEqual([202, 202]);
  const refused = await send(ada.accessToken);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61);
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(((await refused.json()) as Problem).code).toBe('rate_limited');
  expect((await send(bob.accessToken)).status).toBe(202);
});

test('429: an address’s sends, also those with a token that is none, whatever the client says of itself', async () => {
  const { send, statuses } = await open({ RATE_LIMIT_ADDRESS: '2' });
  let address = 0;
  const ask = () => {
    address += 1;
    return send('garbage', { 'X-Forwarded-For': `192.0.2.${address}` });
  };
  expect(await statuses(3, ask)).toEqual([401, 401, 429]);
});

test('behind a proxy of ours a send’s address is the last one that the proxy names', async () => {
  const { send, statuses } = await open({ RATE_LIMIT_ADDRESS: '1', TRUST_PROXY: 'true' });
  const from = (address: string) => () => send('garbage', { 'X-Forwarded-For': address });
  expect(await statuses(2, from('203.0.113.9, 192.0.2.1'))).toEqual([401, 429]);
  expect(await statuses(1, from('203.0.113.8, 192.0.2.1'))).toEqual([429]);
  expect(await statuses(1, from('203.0.113.9, 192.0.2.2'))).toEqual([401]);
});
