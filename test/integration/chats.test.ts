import { afterAll, expect, test } from 'bun:test';
import { createEmbeddedFacts, createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import type { Database } from '../../src/db/database.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { openChatApi } from '../support/chat-api.ts';
import { migratedPglite } from '../support/pglite.ts';
import { chatsSuite } from './chats.ts';

let database: Database | undefined;
afterAll(() => database?.close());

chatsSuite('PGlite and this process', async () => {
  database = await migratedPglite();
  return openChatApi({ database, facts: createEmbeddedFacts() });
});

test('429: who has put too many people into chats, the same ones too; one by one they are let in', async () => {
  const own = await migratedPglite();
  const { rateLimits } = parseConfig({ RATE_LIMIT_INVITE: '5' });
  const api = await openChatApi({
    database: own,
    facts: createEmbeddedFacts(),
    rateLimits: createEmbeddedRateLimits(rateLimits),
  });
  const [ann, bob, ...crowd] = await api.newUsers(6);
  const userIds = crowd.map(({ id }) => id);
  const { status, body: chat } = await api.call(ann!, 'POST', '/chats', { participantUserIds: userIds });
  expect(status).toBe(201);
  const add = (user: string[]) => api.call(ann!, 'POST', `/chats/${chat.id}/participants`, { userIds: user });
  expect((await add([...userIds, bob!.id])).body.code).toBe('rate_limited');
  expect((await add([bob!.id])).body.code).toBe('rate_limited');
  expect((await api.call(bob!, 'POST', '/chats', { participantUserIds: userIds })).status).toBe(201);
  await api.close();
  await own.close();
});
