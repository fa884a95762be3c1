import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPglite } from '../../src/db/pglite.ts';
import type { Chat } from '../../src/shared/contract.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';
import { comparableAnswer } from '../support/comparable-answer.ts';

const key = '0198c0de-0000-7000-8000-00000000000a';

/** A send whose body's length is stated has a way of its own; without it, the same request goes by the route. */
describe('a send has the same answer on both ways', () => {
  let database: Database;
  let api: ChatApi;
  let [ann, bob]: TestUser[] = [];
  let chat: Chat;
  let foreign: Chat;

  beforeAll(async () => {
    database = await openPglite();
    await migrate(database);
    api = await openChatApi({ database, facts: createEmbeddedFacts() });
    [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
    chat = await api.newGroup(ann, bob);
    foreign = await api.newGroup(bob);
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await database.close();
  });

  async function send(body: string, headers: Record<string, string>, chatId: string, stated: boolean) {
    const answer = await api.app.request(`/chats/${chatId}/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${ann!.token}`,
        ...headers,
        ...(stated ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
      },
      body,
    });
    return comparableAnswer(answer);
  }

  const good = JSON.stringify({ content: 'Grüße 🧭', clientMessageId: key });
  const rows: [what: string, body: string, headers?: Record<string, string>, chat?: () => string][] = [
    ['a message', good],
    [
      'a message with an upper-case key',
      good.toUpperCase().replace('CONTENT', 'content').replace('CLIENTMESSAGEID', 'clientMessageId'),
    ],
    ['a message with its charset named', good, { 'content-type': 'application/json; charset=utf-8' }],
    ['an id of the request', good, { 'x-request-id': 'mine-1' }],
    ['a page of an allowed origin', good, { origin: 'https://chat.example' }],
    ['no token', good, { authorization: '' }],
    ['a forged token', good, { authorization: 'Bearer x.y.z' }],
    ['another scheme', good, { authorization: 'Basic eDp5' }],
    ['a foreign chat', good, {}, () => foreign.id],
    ['no chat', good, {}, () => key],
    ['an id that is none', good, {}, () => 'x'],
    ['an id in upper case', good, {}, () => chat.id.toUpperCase()],
    ['another type', good, { 'content-type': 'text/plain' }],
    ['an empty body', ''],
    ['no JSON', '{"content":'],
    ['an array', '[]'],
    ['no content', '{}'],
    ['blank content', '{"content":" "}'],
    ['NUL', '{"content":"\\u0000"}'],
    ['a long content', JSON.stringify({ content: 'x'.repeat(8_001) })],
    ['an unknown field', '{"content":"x","sentAt":1}'],
    ['a body that is too large', JSON.stringify({ content: 'x'.repeat(70_000) })],
  ];

  test.each(rows)('%s', async (_, body, headers = {}, chatId = () => chat.id) => {
    const direct = await send(body, headers, chatId(), true);
    const routed = await send(body, headers, chatId(), false);
    expect({ ...direct, requestId: '' }).toEqual({ ...routed, requestId: '' });
    expect(direct.requestId).toMatch(/^[\w-]{6,}$/);
  });

  test('the broker refuses', async () => {
    api.faults.sendQueue = new ChatError('broker_unavailable', undefined, { retryAfterSeconds: 7 });
    const [direct, routed] = [await send(good, {}, chat.id, true), await send(good, {}, chat.id, false)];
    delete api.faults.sendQueue;
    expect(direct.status).toBe(503);
    expect({ ...direct, requestId: '' }).toEqual({ ...routed, requestId: '' });
    expect(direct.headers).toContainEqual(['retry-after', '7']);
  });

  test('nobody foresaw what goes wrong', async () => {
    api.faults.sendQueue = new TypeError('oops');
    const [direct, routed] = [await send(good, {}, chat.id, true), await send(good, {}, chat.id, false)];
    delete api.faults.sendQueue;
    expect(direct.status).toBe(500);
    expect({ ...direct, requestId: '' }).toEqual({ ...routed, requestId: '' });
  });

  test('the broker keeps silent', async () => {
    const slow = await openChatApi({ database, facts: createEmbeddedFacts(), deadlineMs: 50 });
    slow.faults.sendQueue = 'silent';
    const ways = [true, false].map(async (stated) => {
      const length = { 'content-length': String(Buffer.byteLength(good)) };
      const answer = await slow.app.request(`/chats/${chat.id}/messages`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          // The tokens of both apis are signed with the same secret.
          authorization: `Bearer ${ann!.token}`,
          ...(stated ? length : {}),
        },
        body: good,
      });
      return [answer.status, ((await answer.json()) as { code: string }).code];
    });
    expect(await Promise.all(ways)).toEqual([
      [503, 'broker_unavailable'],
      [503, 'broker_unavailable'],
    ]);
    await slow.close();
  });
});
