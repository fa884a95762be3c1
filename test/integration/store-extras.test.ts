import { expect, test } from 'bun:test';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { kinds } from '../../src/changes/kinds.ts';
import { createReadChanges } from '../../src/changes/read-changes.ts';
import { readHistory, readMessage, readStored } from '../../src/db/queries/history.ts';
import {
  type MessageToStore,
  type StoreOutcome,
  storeMessages,
} from '../../src/db/queries/store-messages.ts';
import type { Message, MessageExtras, MessagePage, SendEnvelope } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import { createTellStored, type Stored } from '../../src/worker/tell-stored.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { storeOfBefore } from '../support/old-version.ts';

const { database } = await embeddedBase();
const log = createLog({ logLevel: 'silent' }, 'test');
const readChanges = createReadChanges(kinds, { database, presence: createEmbeddedPresence() });
const telling = createTellStored({ read: (wanted) => readStored(database, wanted), log });
const [ann, bob, eve] = [newId(), newId(), newId()];
for (const id of [ann, bob, eve]) {
  await database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'User')`, [id]);
}

/** With Ann and Bob; Eve has left. */
async function newChat(): Promise<string> {
  const chatId = newId();
  await database.query('INSERT INTO chats (id, is_group, last_event_sequence) VALUES ($1::uuid, true, 4)', [
    chatId,
  ]);
  for (const [at, userId] of [ann, bob, eve].entries()) {
    await database.query(
      `INSERT INTO chat_participants (chat_id, user_id, role, left_at, created_event_sequence, changed_event_sequence)
      VALUES ($1::uuid, $2::uuid, $3, $4::text::timestamptz, $5::bigint, $5::bigint)`,
      [chatId, userId, at === 0 ? 'owner' : 'member', userId === eve ? '2026-01-01T00:00:00Z' : null, at + 1],
    );
  }
  return chatId;
}

function sent(
  chatId: string,
  content: string,
  extras: MessageExtras = {},
  key = crypto.randomUUID(),
): SendEnvelope {
  return {
    version: Object.keys(extras).length > 0 ? 2 : 1,
    ...{
      brokerMessageId: deriveBrokerMessageId(chatId, ann, key),
      chatId,
      senderId: ann,
      clientMessageId: key,
    },
    ...{ content, sentAt: '2026-02-14T12:00:00.000Z', requestId: 'r' },
    ...extras,
  };
}

const outcomesOf = async (batch: readonly MessageToStore[]) =>
  (await storeMessages(database, batch)).map(({ outcome }) => outcome);

/** Stores, and gives what is announced of it. */
async function store(...envelopes: SendEnvelope[]): Promise<Notification[]> {
  const outcomes = await storeMessages(database, envelopes);
  return telling(envelopes.map((envelope, at) => ({ envelope, outcome: outcomes[at] as Stored['outcome'] })));
}

const textOf = async (chatId: string) =>
  new TextDecoder().decode(await readHistory(database, chatId, bob, { after: 0 }, 100));
const pageOf = async (chatId: string): Promise<Message[]> =>
  (JSON.parse(await textOf(chatId)) as MessagePage).data;

const metadata = JSON.parse(
  '{"z":1,"a":{"__proto__":[null,"😀","\\\\u0000"]},"constructor":true,"1":2}',
) as MessageExtras['metadata'] & object;

test('what is announced, read by its page, its id and as a change is one and the same, and nothing that is not there', async () => {
  const chatId = await newChat();
  const plain = sent(chatId, 'plain');
  const whole = {
    replyTo: plain.brokerMessageId,
    mentions: { userIds: [bob], everyone: true as const },
    metadata,
  };
  const envelopes = [plain, sent(chatId, 'data', { metadata }), sent(chatId, 'whole', whole)];
  const announced = (await store(...envelopes)).map(({ body }) => JSON.parse(body).message as Message);
  const page = await pageOf(chatId);
  expect(page).toEqual(announced);
  // To the letter, in the order of its fields too.
  expect(await textOf(chatId)).toContain(announced.map((message) => JSON.stringify(message)).join(','));
  for (const message of page) expect(await readMessage(database, chatId, bob, message.id)).toEqual(message);
  const [changes] = await readChanges([{ chatId, after: 4 }], 100);
  expect(changes?.changes.map(({ payload }) => (payload as { message: Message }).message)).toEqual(page);

  const fields = ['id', 'chatId', 'senderId', 'content', 'messageType', 'status', 'sequence', 'sentAt'];
  expect(Object.keys(page[0]!)).toEqual([...fields, 'clientMessageId']);
  expect(Object.keys(page[1]!)).toEqual([...fields, 'clientMessageId', 'metadata']);
  expect(JSON.stringify(page[1]?.metadata)).toBe(JSON.stringify(metadata));
  expect(page[2]).toMatchObject({
    replyTo: { messageId: plain.brokerMessageId, sequence: 1, senderId: ann, preview: 'plain' },
    mentions: { userIds: [bob], everyone: true },
  });
});

test('of those who are mentioned the ones that take part are kept, in their order, and counted one by one', async () => {
  const chatId = await newChat();
  const nobody = newId();
  const mentioning = (userIds: string[], everyone?: true) =>
    sent(chatId, 'x', { mentions: { userIds, ...(everyone ? { everyone } : {}) } });
  await store(
    mentioning([eve, bob, nobody, ann]),
    mentioning([eve, nobody]),
    mentioning([eve], true),
    sent(chatId, 'nobody'),
  );
  expect((await pageOf(chatId)).map(({ mentions }) => mentions)).toEqual([
    { userIds: [bob, ann] },
    undefined,
    { userIds: [], everyone: true },
    undefined,
  ]);
  const rows = await database.query(
    `SELECT sequence, user_id::text AS "userId" FROM mentions WHERE chat_id = $1::uuid ORDER BY sequence, user_id`,
    [chatId],
  );
  expect(rows).toEqual([
    { sequence: 1, userId: ann },
    { sequence: 1, userId: bob },
    { sequence: 3, userId: null },
  ]);
});

test('an answer shows what it quotes as that is now: cut to 200 characters, changed, or gone', async () => {
  const [chatId, elsewhere] = [await newChat(), await newChat()];
  const [first, other] = [sent(chatId, '😀'.repeat(201)), sent(elsewhere, 'elsewhere')];
  await store(other);
  const answer = (replyTo: string) => sent(chatId, 'answer', { replyTo });
  // Earlier in the same batch, unknown, of another chat.
  const unknown = newId();
  const replies = [answer(first.brokerMessageId), answer(unknown), answer(other.brokerMessageId)];
  const announced = await store(first, ...replies);
  const preview = '😀'.repeat(200);
  const quote = { messageId: first.brokerMessageId, sequence: 1, senderId: ann };
  const quotes = async () => (await pageOf(chatId)).slice(1).map(({ replyTo }) => replyTo);
  const others = [unknown, other.brokerMessageId].map((messageId) => ({ messageId, deleted: true as const }));
  expect(await quotes()).toEqual([{ ...quote, preview }, ...others]);
  expect(announced.slice(1).map(({ body }) => JSON.parse(body).message.replyTo)).toEqual(await quotes());
  await edit(first, 'edited');
  expect((await quotes())[0]).toEqual({ ...quote, preview: 'edited' });
  await remove(first);
  expect((await quotes())[0]).toEqual({ messageId: first.brokerMessageId, deleted: true });
});

/** As its verb will. */
async function edit(
  { chatId, brokerMessageId }: SendEnvelope,
  content: string,
  version = 100,
): Promise<void> {
  await database.query(
    `UPDATE messages SET content = $3, edited_at = now(), version = $4::bigint WHERE chat_id = $1::uuid AND id = $2::uuid`,
    [chatId, brokerMessageId, content, version],
  );
}
async function remove({ chatId, brokerMessageId }: SendEnvelope, version = 200): Promise<void> {
  await database.query(
    `UPDATE messages SET content = '', deleted_at = now(), deleted_by = $4::uuid, version = $3::bigint, edited_at = NULL,
      reply_to = NULL, mentions = NULL, metadata = NULL, body_hash = NULL
    WHERE chat_id = $1::uuid AND id = $2::uuid`,
    [chatId, brokerMessageId, version, ann],
  );
}

test('a repeat is told from a conflict by all that was accepted', async () => {
  const chatId = await newChat();
  const mentions = { userIds: [bob, eve] };
  const [plain, rich] = [sent(chatId, 'x'), sent(chatId, 'x', { metadata: { a: 1, b: 2 }, mentions })];
  expect(await outcomesOf([plain, rich])).toEqual(['stored', 'stored']);
  const variants: [StoreOutcome['outcome'], SendEnvelope, Partial<SendEnvelope>][] = [
    ['repeat', plain, {}],
    ['conflict', plain, { content: 'y' }],
    ['conflict', plain, { metadata: {} }],
    // Whoever was left out of those who are mentioned was accepted all the same.
    ['repeat', rich, {}],
    ['conflict', rich, { content: 'y' }],
    ['conflict', rich, { metadata: { a: 1, b: 3 } }],
    ['conflict', rich, { mentions: { userIds: [bob] } }],
    ['conflict', rich, { mentions: { ...mentions, everyone: true } }],
    ['conflict', rich, { replyTo: plain.brokerMessageId }],
  ];
  for (const [expected, of, change] of variants) {
    expect([change, ...(await outcomesOf([{ ...of, ...change }]))]).toEqual([change, expected]);
    // The same where both come in one batch.
    const key = crypto.randomUUID();
    const [once, twice] = [of, { ...of, ...change }].map((one) => ({
      ...one,
      ...{ clientMessageId: key, brokerMessageId: deriveBrokerMessageId(chatId, ann, key) },
    }));
    expect(await outcomesOf([once!, twice!])).toEqual(['stored', expected]);
  }
  const { replyTo: _r, mentions: _m, metadata: _d, ...bare } = rich;
  expect(await outcomesOf([bare])).toEqual(['conflict']);
});

test('a repeat of what was edited or deleted since brings no words back: it says that there is something to read', async () => {
  const chatId = await newChat();
  const secret = 'the first words';
  const extras: MessageExtras = { metadata: { secret }, mentions: { userIds: [bob] } };
  const envelopes = [
    sent(chatId, secret),
    sent(chatId, secret, extras),
    sent(chatId, secret),
    sent(chatId, 'kept'),
  ];
  // Its worker dies before it announces.
  await storeMessages(database, envelopes);
  await edit(envelopes[0]!, 'other words', 11);
  await edit(envelopes[1]!, 'other words', 12);
  await remove(envelopes[2]!, 13);

  expect(await storeMessages(database, envelopes)).toMatchObject([
    { outcome: 'changed', sequence: 1, eventSequence: 11 },
    { outcome: 'changed', sequence: 2, eventSequence: 12 },
    { outcome: 'changed', sequence: 3, eventSequence: 13 },
    { outcome: 'repeat', sequence: 4, eventSequence: 8 },
  ]);
  const announced = await store(...envelopes);
  expect(JSON.stringify(announced)).not.toContain(secret);
  expect(announced.map(({ head, body }) => [head, body !== ''])).toMatchObject([
    [{ kind: 'change', chatId, eventSequence: 11, sequence: 1 }, false],
    [{ kind: 'change', chatId, eventSequence: 12, sequence: 2 }, false],
    [{ kind: 'change', chatId, eventSequence: 13, sequence: 3 }, false],
    [{ kind: 'change', chatId, eventSequence: 8, sequence: 4 }, true],
  ]);
  expect(await pageOf(chatId)).toMatchObject([
    { content: 'other words', version: 11, editedAt: expect.any(String) },
    { content: 'other words', version: 12, metadata: { secret } },
    { content: '', version: 13, deletedAt: expect.any(String), deletedBy: ann },
    { content: 'kept' },
  ]);
  // Another body under the key of one that was deleted, too: nobody knows any more what it was.
  expect(await outcomesOf([{ ...envelopes[2]!, content: 'whatever' }])).toEqual(['changed']);
  // Under that of an edited one it is a conflict where the hash says so.
  expect(await outcomesOf([{ ...envelopes[1]!, content: 'whatever' }])).toEqual(['conflict']);
  // An older worker, which knows no such answer, says no words either.
  expect(await storeOfBefore(database, envelopes.slice(0, 3))).toEqual(['conflict', 'conflict', 'conflict']);
});

test('what cannot be read after it was stored is told without words', async () => {
  const chatId = await newChat();
  const away = createTellStored({ read: () => Promise.reject(new Error('away')), log });
  const envelopes = [sent(chatId, 'plain'), sent(chatId, 'answer', { replyTo: newId() })];
  const outcomes = await storeMessages(database, envelopes);
  const told = await away(
    envelopes.map((envelope, at) => ({ envelope, outcome: outcomes[at] as Stored['outcome'] })),
  );
  expect(told.map(({ body }) => body !== '')).toEqual([true, false]);
  expect(told[1]?.head).toMatchObject({ kind: 'change', eventSequence: 6 });
});
