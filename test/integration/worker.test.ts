import { afterEach, expect, test } from 'bun:test';
import pino from 'pino';
import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import type { Database } from '../../src/db/database.ts';
import { databaseUnavailable } from '../../src/db/errors.ts';
import { assertPartitioning } from '../../src/db/settings.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { createLog, type Logger } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { partitionOf } from '../../src/shared/partition.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { startWorker, type Worker } from '../../src/worker/worker.ts';
import { embeddedDatabase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { insertChat, type OneChat } from '../support/one-chat.ts';
import { testEnvelopes, testMembership } from '../support/queue-parts.ts';

const log = pino({ level: 'silent' });
const partitionCount = 4;
const config = { enabled: true, batchSize: 16, bufferedBatches: 1, maxRetries: 2, partitionCount };

const database = await embeddedDatabase();

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await database.query('DELETE FROM dead_letters', []);
  await database.query('DELETE FROM queued_messages', []);
});

interface Running {
  queue: Queue;
  worker: Worker;
  published: Notification[];
}

/** @param faults what stands between the worker and the real things */
async function start(
  faults: {
    query?: Database['query'];
    publish?: (batch: readonly Notification[]) => Promise<void>;
    log?: Logger;
  } = {},
): Promise<Running> {
  const queue = createEmbeddedQueue({ database, log });
  const published: Notification[] = [];
  const worker = await startWorker({
    metrics: createMetrics(),
    database: { ...database, query: faults.query ?? database.query },
    partitionSource: await queue.partitionSource(),
    deadLetterSink: await queue.deadLetterSink(),
    notifier: {
      async publish(batch) {
        await faults.publish?.(batch);
        published.push(...batch);
      },
    },
    membership: testMembership(),
    envelopes: testEnvelopes,
    config,
    log: faults.log ?? log,
  });
  stops.push(async () => {
    await worker.stop();
    await queue.close();
  });
  return { queue, worker, published };
}

const createChat = () => insertChat(database);

function envelopeOf(
  chat: OneChat,
  content: string,
  clientMessageId: string = crypto.randomUUID(),
): SendEnvelope {
  const { chatId, senderId } = chat;
  const brokerMessageId = deriveBrokerMessageId(chatId, senderId, clientMessageId);
  const sentAt = new Date().toISOString();
  return { version: 1, brokerMessageId, chatId, senderId, clientMessageId, content, sentAt, requestId: 'r' };
}

async function send(queue: Queue, ...envelopes: SendEnvelope[]): Promise<void> {
  const sendQueue = await queue.sendQueue();
  await Promise.all(
    envelopes.map((envelope) =>
      sendQueue.publish({
        id: envelope.brokerMessageId,
        partition: partitionOf(envelope.chatId, partitionCount),
        body: testEnvelopes.seal(envelope),
      }),
    ),
  );
}

const stored = (chatId: string) =>
  database.query<{ sequence: number; content: string }>(
    'SELECT sequence, content FROM messages WHERE chat_id = $1 ORDER BY sequence',
    [chatId],
  );
const queued = async () =>
  (await database.query<{ left: number }>('SELECT count(*)::int AS left FROM queued_messages', []))[0]!.left;
const settled = () => eventually('the queue is empty', async () => (await queued()) === 0);
const failed = (published: readonly Notification[]) =>
  published
    .filter(({ head }) => head.kind === 'passing' && head.event === 'chat.message.failed')
    .map(({ topic, body }) => [topic, JSON.parse(body)]);

test('what is sent is stored in order and announced, byte for byte as the contract shows it', async () => {
  const { queue, worker, published } = await start();
  expect(worker.ready()).toBe(true);
  const chat = await createChat();
  const envelopes = Array.from({ length: 40 }, (_, at) => envelopeOf(chat, `message ${at}`));
  await send(queue, ...envelopes);
  await eventually('all are announced', () => published.length === 40);

  expect(await stored(chat.chatId)).toEqual(
    envelopes.map(({ content }, at) => ({ sequence: at + 1, content })),
  );
  const { brokerMessageId, clientMessageId, sentAt } = envelopes[2]!;
  expect(published[2]).toEqual({
    topic: `chat:${chat.chatId}`,
    head: {
      version: 1,
      kind: 'change',
      chatId: chat.chatId,
      eventSequence: 3,
      event: 'chat.message.new',
      actorId: chat.senderId,
      actorEvent: 'chat.message.saved',
      sequence: 3,
    },
    body:
      `{"chatId":"${chat.chatId}","message":{"id":"${brokerMessageId}","chatId":"${chat.chatId}",` +
      `"senderId":"${chat.senderId}","content":"message 2","messageType":"text","status":"sent","sequence":3,` +
      `"sentAt":"${sentAt}","clientMessageId":"${clientMessageId}"},"eventSequence":3}`,
  });
  await settled();
});

test('a repeat is stored once and announced again, as the row is; another text under its key fails', async () => {
  const { queue, published } = await start();
  const chat = await createChat();
  const first = envelopeOf(chat, 'first');
  await send(queue, first);
  await eventually('it is announced', () => published.length === 1);
  await send(queue, { ...first, sentAt: '2030-01-01T00:00:00.000Z' });
  await eventually('it is announced again', () => published.length === 2);
  expect(published[1]).toEqual(published[0]!);

  await send(queue, { ...first, content: 'other' });
  await eventually('the sender is told', () => failed(published).length === 1);
  const { chatId, clientMessageId, brokerMessageId } = first;
  expect(failed(published)).toEqual([
    [`user:${chat.senderId}`, { chatId, clientMessageId, brokerMessageId, code: 'idempotency_conflict' }],
  ]);
  expect(await stored(chatId)).toEqual([{ sequence: 1, content: 'first' }]);
  expect(await (await queue.deadLetterStore()).list()).toEqual([]);
  await settled();
});

test('poison and refusals die with their reason, the sender is told, and what is around them is stored', async () => {
  const { queue, published } = await start();
  const chat = await createChat();
  const stranger = envelopeOf({ ...chat, senderId: newId() }, 'let me in');
  const nowhere = envelopeOf({ ...chat, chatId: newId() }, 'anybody?');
  const tooLong = envelopeOf(chat, 'x'.repeat(8_001));
  const sendQueue = await queue.sendQueue();
  await send(queue, envelopeOf(chat, 'before'), stranger, nowhere, tooLong);
  await sendQueue.publish({
    id: 'junk',
    partition: partitionOf(chat.chatId, partitionCount),
    body: '{"version":',
  });
  await send(queue, envelopeOf(chat, 'after'));
  await settled();

  expect((await stored(chat.chatId)).map(({ content }) => content)).toEqual(['before', 'after']);
  const letters = await (await queue.deadLetterStore()).list();
  expect(Object.fromEntries(letters.map(({ id, reason }) => [id, reason]))).toEqual({
    [stranger.brokerMessageId]: 'not_participant',
    [nowhere.brokerMessageId]: 'chat_not_found',
    [tooLong.brokerMessageId]: 'content has not 1 to 8000 UTF-16 units',
    junk: 'not signed',
  });
  expect(letters.find(({ id }) => id === stranger.brokerMessageId)!.body).toBe(testEnvelopes.seal(stranger));
  const told = failed(published).map(([topic, { code, brokerMessageId }]) => [topic, code, brokerMessageId]);
  expect(told.toSorted()).toEqual(
    [
      [`user:${stranger.senderId}`, 'chat_not_found', stranger.brokerMessageId],
      [`user:${chat.senderId}`, 'chat_not_found', nowhere.brokerMessageId],
      [`user:${chat.senderId}`, 'validation_failed', tooLong.brokerMessageId],
    ].toSorted(),
  );
});

test('who may not post is told so, and the dead letter says it; of a deleted chat nothing is kept, whatever was stored', async () => {
  const { queue, published } = await start();
  const [chat, ended] = [await createChat(), await createChat()];
  const first = envelopeOf(ended, 'stored');
  await send(queue, first);
  await settled();
  await database.query(`UPDATE chat_participants SET role = 'member' WHERE chat_id = $1`, [chat.chatId]);
  await database.query(`UPDATE chats SET posting = 'admins' WHERE id = $1`, [chat.chatId]);
  await database.query('UPDATE chats SET deleted_at = now() WHERE id = $1', [ended.chatId]);
  published.length = 0;
  const refused = envelopeOf(chat, 'not to all');
  await send(queue, refused, envelopeOf(ended, 'too late'), first, { ...first, content: 'other' });
  await settled();
  await eventually('all are told', () => failed(published).length === 4);
  const codes = failed(published).map(([topic, { code }]) => [topic, code]);
  expect(codes.filter(([topic]) => topic === `user:${chat.senderId}`)).toEqual([
    [`user:${chat.senderId}`, 'not_allowed'],
  ]);
  expect(codes.filter(([topic]) => topic === `user:${ended.senderId}`)).toEqual(
    Array(3).fill([`user:${ended.senderId}`, 'chat_not_found']),
  );
  expect(published).toHaveLength(4);
  const letters = (await (await queue.deadLetterStore()).list()).filter(({ body }) =>
    [chat.chatId, ended.chatId].some((chatId) => body.includes(chatId)),
  );
  expect(letters.map(({ id, reason }) => [id, reason])).toEqual([[refused.brokerMessageId, 'not_allowed']]);
});

test('a refused message that is replayed when its reason is gone is stored', async () => {
  const { queue } = await start();
  const chat = await createChat();
  const late = envelopeOf({ ...chat, senderId: newId() }, 'now I may');
  await send(queue, late);
  const store = await queue.deadLetterStore();
  await eventually('it is dead', async () => (await store.list()).length === 1);
  await database.query(`INSERT INTO users (id, display_name) VALUES ($1, 'Late')`, [late.senderId]);
  await database.query(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
    VALUES ($1, $2, 'member', 0, 0)`,
    [chat.chatId, late.senderId],
  );
  expect(await Array.fromAsync(store.replay('all'))).toEqual([late.brokerMessageId]);
  await eventually('it is stored', async () => (await stored(chat.chatId)).length === 1);
  expect(await store.list()).toEqual([]);
});

test('a newer version waits, in its place, for a worker that knows it', async () => {
  const chat = await createChat();
  const queue = createEmbeddedQueue({ database, log });
  await send(
    queue,
    envelopeOf(chat, 'before'),
    { ...envelopeOf(chat, 'newer'), version: 4 as 2 },
    envelopeOf(chat, 'after'),
  );
  await queue.close();
  await start();
  await eventually('what is before it is stored', async () => (await stored(chat.chatId)).length === 1);
  expect(await queued()).toBeGreaterThanOrEqual(2);
  expect((await database.query('SELECT 1 FROM dead_letters', [])).length).toBe(0);
  expect((await stored(chat.chatId)).map(({ content }) => content)).toEqual(['before']);
});

test('what is refused before a newer version dies once, when that has gone', async () => {
  const chat = await createChat();
  const stranger = envelopeOf({ ...chat, senderId: newId() }, 'from a stranger');
  const first = envelopeOf(chat, 'first');
  const queue = createEmbeddedQueue({ database, log });
  await send(
    queue,
    stranger,
    first,
    { ...first, content: 'another' },
    {
      ...envelopeOf(chat, 'newer'),
      version: 4 as 2,
    },
  );
  await queue.close();
  const lines: string[] = [];
  const { published } = await start({
    log: createLog({ logLevel: 'warn' }, 'worker', { write: (line) => void lines.push(line) }),
  });
  const announced = () => published.filter(({ head }) => head.kind === 'change').length;
  await eventually('the batch has come three times', () => announced() >= 3, 10_000);
  expect(lines.filter((line) => line.includes('left for a newer worker'))).toHaveLength(1);
  expect(failed(published)).toEqual([]);
  expect(await database.query('SELECT 1 FROM dead_letters', [])).toEqual([]);

  await database.query(`DELETE FROM queued_messages WHERE body LIKE '%"version":4%'`, []);
  await eventually('the queue is empty', async () => (await queued()) === 0, 10_000);
  expect(failed(published).map(([, { code }]) => code)).toEqual(['idempotency_conflict', 'chat_not_found']);
  expect(await database.query('SELECT id FROM dead_letters', [])).toEqual([{ id: stranger.brokerMessageId }]);
}, 30_000);

test('while the database is away batches wait in place; then all is there once, in order', async () => {
  let away = true;
  let tries = 0;
  const { queue, published } = await start({
    async query(text, parameters) {
      if (!text.includes('store_messages')) return database.query(text, parameters);
      tries += 1;
      // Every other time after the commit: the answer is what gets lost.
      if (away && tries % 2 === 0) await database.query(text, parameters);
      if (away) throw databaseUnavailable(new Error('away'));
      return database.query(text, parameters);
    },
  });
  const chat = await createChat();
  const envelopes = Array.from({ length: 30 }, (_, at) => envelopeOf(chat, `message ${at}`));
  await send(queue, ...envelopes);
  await eventually('it tried in vain', () => tries > config.maxRetries + 3);
  expect(published).toEqual([]);
  away = false;
  await eventually('all are announced', () => published.length === 30);
  expect((await stored(chat.chatId)).map(({ content }) => content)).toEqual(
    envelopes.map(({ content }) => content),
  );
  expect(await (await queue.deadLetterStore()).list()).toEqual([]);
});

test('a worker that is cut off from the database, and not from the queue, leaves its partitions to another', async () => {
  const queue = createEmbeddedQueue({ database, log });
  const source = await queue.partitionSource();
  let isCut = false;
  let tries = 0;
  const cut: Database = {
    ...database,
    query(text, parameters) {
      if (!isCut) return database.query(text, parameters);
      if (text.includes('store_messages')) tries += 1;
      return Promise.reject(databaseUnavailable(new Error('cut off')));
    },
  };
  const startOn = async (one: Database) => {
    const worker = await startWorker({
      metrics: createMetrics(),
      database: one,
      partitionSource: source,
      deadLetterSink: await queue.deadLetterSink(),
      notifier: { publish: async () => {} },
      membership: testMembership(createDatabaseRegistry(one)),
      envelopes: testEnvelopes,
      config,
      log,
    });
    stops.push(worker.stop);
    return worker;
  };
  stops.push(queue.close);
  const cutOff = await startOn(cut);
  isCut = true;
  const chats = [await createChat(), await createChat(), await createChat(), await createChat()];
  const contents = Array.from({ length: 20 }, (_, at) => `message ${at}`);
  for (const chat of chats) await send(queue, ...contents.map((content) => envelopeOf(chat, content)));
  await eventually('it has batches in hand', () => tries > 0);
  await startOn(database);
  await eventually('the other has stored all', async () => (await queued()) === 0, 20_000);
  for (const { chatId } of chats) {
    expect((await stored(chatId)).map(({ content }) => content)).toEqual(contents);
  }
  expect(cutOff.ready()).toBe(false);
  isCut = false;
  await eventually('it takes part again', () => cutOff.ready(), 10_000);
}, 60_000);

test('a message that PostgreSQL refuses dies alone; an error nobody knows is tried again first', async () => {
  const errors = { refused: '22021', unknown: 'XX000' };
  const tries = { refused: 0, unknown: 0 };
  const { queue, published } = await start({
    query(text, parameters) {
      const contents = text.includes('store_messages') ? (parameters[4] as string[]) : [];
      for (const kind of ['refused', 'unknown'] as const) {
        if (!contents.includes(kind)) continue;
        tries[kind] += 1;
        return Promise.reject(Object.assign(new Error('made up'), { code: errors[kind] }));
      }
      return database.query(text, parameters);
    },
  });
  const chat = await createChat();
  const texts = ['1', 'refused', '2', '3', 'unknown', '4'];
  await send(queue, ...texts.map((text) => envelopeOf(chat, text)));
  await settled();
  expect((await stored(chat.chatId)).map(({ content }) => content)).toEqual(['1', '2', '3', '4']);
  const reasons = (await (await queue.deadLetterStore()).list()).map(({ reason }) => reason);
  expect(reasons.toSorted()).toEqual(['storing failed: SQLSTATE 22021', 'storing failed: SQLSTATE XX000']);
  expect(failed(published).map(([, { code }]) => code)).toEqual(['internal_error', 'internal_error']);
  expect(tries.unknown).toBeGreaterThan(config.maxRetries);
});

test("an installation that is not as it should be is no message's fault: its batch waits until it is mended", async () => {
  let broken = true;
  let tries = 0;
  const { queue, published } = await start({
    query(text, parameters) {
      if (!text.includes('store_messages') || !broken) return database.query(text, parameters);
      tries += 1;
      return Promise.reject(Object.assign(new Error('permission denied'), { code: '42501' }));
    },
  });
  const chat = await createChat();
  await send(queue, ...['1', '2', '3'].map((text) => envelopeOf(chat, text)));
  await eventually('it tried more often than an unknown error', () => tries > config.maxRetries + 3);
  broken = false;
  await eventually('all are announced', () => published.length === 3);
  expect((await stored(chat.chatId)).map(({ content }) => content)).toEqual(['1', '2', '3']);
  expect(await (await queue.deadLetterStore()).list()).toEqual([]);
});

test('leaving does not use up the retries of an error nobody knows', async () => {
  const [tried, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { queue, worker } = await start({
    async query(text, parameters) {
      if (!text.includes('store_messages')) return database.query(text, parameters);
      tried.resolve();
      // So that none of its retries is behind it.
      await left.promise;
      throw Object.assign(new Error('made up'), { code: 'XX000' });
    },
  });
  const chat = await createChat();
  await send(queue, envelopeOf(chat, 'innocent'));
  await tried.promise;
  const stopped = worker.stop();
  left.resolve();
  await stopped;
  expect(await queued()).toBe(1);
  expect(await (await queue.deadLetterStore()).list()).toEqual([]);
});

test('while Redis is away messages are stored and forgotten by the queue; then the newest of each chat is announced', async () => {
  let away = true;
  const { queue, published } = await start({
    publish: async () => {
      if (away) throw new Error('Redis is away');
    },
  });
  const chats = [await createChat(), await createChat(), await createChat()];
  for (const chat of chats) await send(queue, envelopeOf(chat, 'one'), envelopeOf(chat, 'two'));
  await settled();
  expect(published).toEqual([]);
  away = false;
  await eventually('every chat is announced', () => {
    const newest = new Map(
      published.map(({ topic, head }) => [topic, 'eventSequence' in head && head.eventSequence]),
    );
    return newest.size === 3 && [...newest.values()].every((number) => number === 2);
  });
  await send(queue, envelopeOf(chats[0]!, 'three'));
  await eventually('and goes on', () => published.at(-1)!.body.includes('three'));
});

test('stopping finishes what is in hand, and leaves the rest in the queue', async () => {
  const { queue, worker } = await start();
  const chat = await createChat();
  const envelopes = Array.from({ length: 300 }, (_, at) => envelopeOf(chat, `message ${at}`));
  await send(queue, ...envelopes);
  await worker.stop();
  expect(worker.ready()).toBe(false);
  const rows = await stored(chat.chatId);
  expect(rows.length + (await queued())).toBe(300);
  expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, at) => at + 1));
});

test('the partition count is recorded at the first start, and another is refused with what mends it', async () => {
  await assertPartitioning(database, 8);
  await assertPartitioning(database, 8);
  await expect(assertPartitioning(database, 9)).rejects.toThrow(/set up for 8 .*`bun run repartition 9`/);
});
