import { expect, test } from 'bun:test';
import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { embeddedDatabase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { readStateSuite } from './read-state.ts';
import { typingPresenceSuite } from './typing-presence.ts';

const database = await embeddedDatabase();

for (const suite of [readStateSuite, typingPresenceSuite])
  suite('PGlite and this process', () => openChatApi({ database, facts: createEmbeddedFacts() }));

test('429: reads, typing and whether presence is shown have limits of their own; the first two are none of the other requests', async () => {
  const limits = {
    RATE_LIMIT_READ: '2',
    RATE_LIMIT_TYPING: '2',
    RATE_LIMIT_LOOKUP: '2',
    RATE_LIMIT_USER: '6',
  };
  const { rateLimits } = parseConfig(limits);
  const api = await openChatApi({
    database,
    facts: createEmbeddedFacts(),
    rateLimits: createEmbeddedRateLimits(rateLimits, createMetrics()),
  });
  const ann = await api.newUser();
  const { id } = await api.newGroup(ann);
  const ask = async (method: string, path: string, body?: object) =>
    (await api.call(ann, method, path, body)).status;
  const read = () => ask('PUT', `/chats/${id}/read`, { sequence: 0 });
  expect([await read(), await read(), await read()]).toEqual([200, 200, 429]);
  expect(await ask('PUT', `/chats/${id}/unread`, { sequence: 1 })).toBe(429);
  const type = (typing: boolean) => ask('PUT', `/chats/${id}/typing`, { typing });
  expect([await type(true), await type(false), await type(false)]).toEqual([204, 204, 429]);
  const show = (showPresence: boolean) => ask('PATCH', '/users/me', { showPresence });
  expect([await show(false), await show(true), await show(false)]).toEqual([200, 200, 429]);
  expect([await ask('GET', '/chats'), await ask('GET', '/chats'), await ask('GET', '/chats')]).toEqual([
    200, 200, 429,
  ]);
  await api.close();
});
