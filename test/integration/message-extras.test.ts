import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Chat } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';

const { database, facts } = await embeddedBase();
let api: ChatApi;
let [ann, bob]: TestUser[] = [];
let chat: Chat;

beforeAll(async () => {
  api = await openChatApi({ database, facts });
  [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
  chat = await api.newGroup(ann, bob);
}, 60_000);
afterAll(() => api.close());

const post = (user: TestUser, chatId: string, body: object) =>
  api.call(user, 'POST', `/chats/${chatId}/messages`, { content: 'Hello', ...body });
const envelopeOf = async (body: object) => {
  const answer = await post(ann!, chat.id, body);
  expect(answer.status).toBe(202);
  return api.sent.at(-1)!;
};

test('a text alone goes as it always went, and waits for no version', async () => {
  const fields = ['version', 'brokerMessageId', 'chatId', 'senderId', 'clientMessageId', 'content'];
  for (const version of [1, 2] as const) {
    api.known.version = version;
    for (const body of [{}, { mentions: { userIds: [] } }, { mentions: { userIds: [], everyone: false } }]) {
      const envelope = await envelopeOf(body);
      expect(envelope.version).toBe(1);
      expect(Object.keys(envelope)).toEqual([...fields, 'sentAt', 'requestId', 'signature']);
    }
  }
});

test('what it has beside its text goes with version 2, once all processes know it', async () => {
  const metadata = JSON.parse('{"__proto__":{"a":1},"order":{"id":7}}');
  const body = {
    replyTo: newId().toUpperCase(),
    mentions: { userIds: [bob!.id.toUpperCase(), bob!.id, ann!.id], everyone: true },
    metadata,
  };
  api.known.version = 1;
  const sent = api.sent.length;
  for (const extra of [body, { replyTo: body.replyTo }, { mentions: body.mentions }, { metadata: {} }]) {
    expect(await post(ann!, chat.id, extra)).toMatchObject({ status: 503, body: { code: 'not_ready' } });
  }
  expect(api.sent).toHaveLength(sent);

  api.known.version = 2;
  expect(await envelopeOf(body)).toMatchObject({
    version: 2,
    replyTo: body.replyTo.toLowerCase(),
    mentions: { userIds: [bob!.id, ann!.id], everyone: true },
  });
  expect(JSON.stringify(api.sent.at(-1)?.metadata)).toBe(JSON.stringify(metadata));
  expect(await envelopeOf({ metadata: {} })).toMatchObject({ version: 2, metadata: {} });
  expect(await envelopeOf({ mentions: { userIds: Array(50).fill(bob!.id) } })).toMatchObject({
    version: 2,
    mentions: { userIds: [bob!.id] },
  });
});

test('in a chat of more than 50 everyone is mentioned by who leads it alone', async () => {
  const others = await api.newUsers(50);
  const everyone = { mentions: { userIds: [], everyone: true } };
  const group = await api.newGroup(ann!, ...others);
  expect(await post(others[0]!, group.id, everyone)).toMatchObject({
    status: 403,
    body: { code: 'not_allowed' },
  });
  expect((await post(others[0]!, group.id, { mentions: { userIds: [ann!.id] } })).status).toBe(202);
  expect((await post(ann!, group.id, everyone)).status).toBe(202);
  // Nobody but who takes part hears that it is large.
  expect(await post(bob!, group.id, everyone)).toMatchObject({
    status: 404,
    body: { code: 'chat_not_found' },
  });
  // One who was removed a moment ago may be known as there still.
  expect((await post(others[2]!, group.id, {})).status).toBe(202);
  await database.query(
    'UPDATE chat_participants SET left_at = now() WHERE chat_id = $1::uuid AND user_id = $2::uuid',
    [group.id, others[2]!.id],
  );
  expect((await post(others[2]!, group.id, {})).status).toBe(202);
  expect(await post(others[2]!, group.id, everyone)).toMatchObject({ status: 404 });
  await api.call(ann!, 'DELETE', `/chats/${group.id}/participants/${others[1]!.id}`);
  expect((await post(others[0]!, group.id, everyone)).status).toBe(202);
}, 20_000);
