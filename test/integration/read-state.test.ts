import { afterAll, expect, test } from 'bun:test';
import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { openChatApi } from '../support/chat-api.ts';
import { readStateSuite } from './read-state.ts';

let database: Database | undefined;
afterAll(() => database?.close());

readStateSuite('PGlite and this process', async () => {
  database = await openPglite();
  await migrate(database);
  return openChatApi({ database, facts: createEmbeddedFacts() });
});

test('429: reads have a limit of their own, and are none of the other requests', async () => {
  const own = await openPglite();
  await migrate(own);
  const { rateLimits } = parseConfig({ RATE_LIMIT_READ: '2', RATE_LIMIT_USER: '3' });
  const api = await openChatApi({
    database: own,
    facts: createEmbeddedFacts(),
    rateLimits: createEmbeddedRateLimits(rateLimits),
  });
  const ann = await api.newUser();
  const { id } = await api.newGroup(ann);
  const ask = async (method: string, path: string, body?: object) =>
    (await api.call(ann, method, path, body)).status;
  const read = () => ask('PUT', `/chats/${id}/read`, { sequence: 0 });
  expect([await read(), await read(), await read()]).toEqual([200, 200, 429]);
  expect(await ask('PUT', `/chats/${id}/unread`, { sequence: 1 })).toBe(429);
  expect([await ask('GET', '/chats'), await ask('GET', '/chats'), await ask('GET', '/chats')]).toEqual([
    200, 200, 429,
  ]);
  await api.close();
  await own.close();
});
