import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import { createSendMessage } from '../../src/chat/send-message.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { envelopeKey, notificationKey } from '../../src/db/settings.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { createEnvelopeCodec, type EnvelopeCodec } from '../../src/shared/envelope-codec.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { partitionOf } from '../../src/shared/partition.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { startWorker, type Worker } from '../../src/worker/worker.ts';
import { eventually } from '../support/eventually.ts';
import { testMembership } from '../support/queue-parts.ts';

export const partitionCount = 2;

export interface QueueToForge {
  database: Database;
  queue: Queue;
  /** What who can write to the queue does: these bytes into this partition. */
  put(partition: number, body: string, messageId?: string): Promise<void>;
}

/** What must hold for every queue: who can write to it can neither speak as anybody nor stop anybody. */
export function forgedEnvelopes(name: string, open: () => Promise<QueueToForge>): void {
  describe(`forged envelopes: ${name}`, () => {
    let base: QueueToForge;
    let worker: Worker;
    let codec: EnvelopeCodec;
    const published: Notification[] = [];
    const lines: Record<string, unknown>[] = [];

    beforeAll(async () => {
      base = await open();
      const { database, queue } = base;
      await migrate(database);
      codec = createEnvelopeCodec(await envelopeKey(database));
      worker = await startWorker({
        metrics: createMetrics(),
        database,
        partitionSource: await queue.partitionSource(),
        deadLetterSink: await queue.deadLetterSink(),
        notifier: {
          async publish(batch) {
            published.push(...batch);
          },
        },
        membership: testMembership(createDatabaseRegistry(database)),
        envelopes: codec,
        config: { enabled: true, batchSize: 16, bufferedBatches: 1, maxRetries: 2, partitionCount },
        log: createLog({ logLevel: 'debug' }, 'worker', {
          write: (line) => void lines.push(JSON.parse(line)),
        }),
      });
    }, 60_000);
    afterAll(async () => {
      await worker.stop();
      await base.queue.close();
      await base.database.close();
    }, 30_000);

    /** A chat with two people in it, and the ways to send there. */
    async function world() {
      const { database, queue, put } = base;
      const [chatId, ada, bob] = [newId(), newId(), newId()];
      await database.query('INSERT INTO chats (id, is_group) VALUES ($1, true)', [chatId]);
      for (const id of [ada, bob]) {
        await database.query(`INSERT INTO users (id, display_name) VALUES ($1, 'Somebody')`, [id]);
        await database.query(
          `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
          VALUES ($1, $2, 'member', 0, 0)`,
          [chatId, id],
        );
      }
      const partition = partitionOf(chatId, partitionCount);
      const send = createSendMessage({
        ...{ database, facts: createEmbeddedFacts(), sendQueue: await queue.sendQueue(), partitionCount },
        envelopes: codec,
        envelopeVersion: () => 1,
      });
      return {
        ...{ chatId, ada, bob, partition },
        /** As an api does it for who has shown a token. */
        accept: (content: string, requestId = 'a-request', clientMessageId?: string) =>
          send({ ...{ chatId, senderId: ada, content, participant: true, requestId, clientMessageId } }),
        put: (body: string, messageId?: string) => put(partition, body, messageId),
        envelope: (content: string, own: Partial<SendEnvelope> = {}): SendEnvelope => {
          const ids = { chatId, senderId: ada, clientMessageId: crypto.randomUUID(), ...own };
          return {
            version: 1,
            brokerMessageId: deriveBrokerMessageId(ids.chatId, ids.senderId, ids.clientMessageId),
            ...ids,
            content,
            sentAt: new Date().toISOString(),
            requestId: 'r',
            ...own,
          };
        },
        stored: () =>
          database.query<{ id: string; content: string; sender: string; sentAt: Date }>(
            `SELECT id::text, content, sender_id::text AS sender, sent_at::text AS "sentAt"
            FROM messages WHERE chat_id = $1 ORDER BY sequence`,
            [chatId],
          ),
      };
    }

    /** What died with which reason, by the message's id; forgotten by that. */
    async function takeLetters(): Promise<Record<string, string>> {
      const store = await base.queue.deadLetterStore();
      const letters = await store.list();
      await Array.fromAsync(store.drop(letters.map(({ id }) => id)));
      return Object.fromEntries(letters.map(({ id, reason }) => [id, reason]));
    }

    test('nothing that is forged is stored, nobody is told of it, and nothing waits behind it', async () => {
      const { chatId, ada, bob, accept, put, envelope, stored } = await world();
      const elsewhere = await world();
      const told = published.length;
      await accept('before');
      const genuine = codec.seal(envelope('genuine'));
      const ofAnotherChat = codec.seal(elsewhere.envelope('said elsewhere'));
      const signedAsNotification = createEnvelopeCodec(await notificationKey(base.database));
      const sentAt = '2999-01-01T00:00:00.000Z';
      const forged: Record<string, string> = {
        'not signed': JSON.stringify(envelope('I am Ada')),
        'as another': genuine.replace(`"senderId":"${ada}"`, `"senderId":"${bob}"`),
        'another text': genuine.replace('genuine', 'genuinely not'),
        'from 2999': genuine.replace(/"sentAt":"[^"]*"/, `"sentAt":"${sentAt}"`),
        'from 2999, not signed': JSON.stringify(envelope('later', { sentAt })),
        'of version 2': '{"version":2}',
        'of version 2, it says': genuine.replace('"version":1', '"version":2'),
        'of version 2, with a made-up signature': `{"version":2,"signature":"${'A'.repeat(22)}"}`,
        'cut off': genuine.slice(0, -10),
        'cut off in the middle': genuine.slice(0, 200),
        "with another chat's signature": genuine.slice(0, -24) + ofAnotherChat.slice(-24),
        'of another chat, readdressed': ofAnotherChat.replaceAll(elsewhere.chatId, chatId),
        'by the key of notifications': signedAsNotification.seal(envelope('a notification?')),
        'by a key of its own': createEnvelopeCodec('my key').seal(envelope('my key')),
        'with a field more': genuine.replace('{', '{"content":"twice",'),
        'as bytes that are no text': `\ufffd${genuine}`,
      };
      for (const [kind, body] of Object.entries(forged)) await put(body, kind.replace(/\W+/g, '-'));
      await accept('after');

      await eventually('what is behind it is stored', async () => (await stored()).length === 2);
      expect((await stored()).map(({ content, sender }) => [content, sender])).toEqual([
        ['before', ada],
        ['after', ada],
      ]);
      expect(await elsewhere.stored()).toEqual([]);
      const letters: Record<string, string> = {};
      await eventually('each of them has died', async () => {
        Object.assign(letters, await takeLetters());
        return Object.keys(letters).length >= Object.keys(forged).length;
      });
      expect(Object.keys(letters).toSorted()).toEqual(
        Object.keys(forged)
          .map((kind) => kind.replace(/\W+/g, '-'))
          .toSorted(),
      );
      expect(new Set(Object.values(letters))).toEqual(new Set(['not signed', 'the signature is not ours']));
      expect(published.slice(told).map(({ head }) => head.kind)).toEqual(['change', 'change']);
    });

    test('what was sent once and is put there again, here or into another partition, is stored once', async () => {
      const { accept, put, envelope, stored, partition } = await world();
      const first = codec.seal(envelope('first'));
      await put(first);
      await accept('second');
      for (let time = 0; time < 3; time += 1) {
        await put(first, `again-${time}`);
        await base.put((partition + 1) % partitionCount, first, `elsewhere-${time}`);
      }
      await accept('third');
      await eventually('all is stored', async () => (await stored()).length === 3);
      await eventually(
        'nothing waits',
        async () => (await (await base.queue.partitionSource()).waiting()) === 0,
      );
      expect((await stored()).map(({ content }) => content)).toEqual(['first', 'second', 'third']);
      expect(await takeLetters()).toEqual({});
    });

    test("an api's clock that is ahead is believed for five minutes, one that is behind or a queue that was long is", async () => {
      const { put, envelope, stored } = await world();
      const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
      const sentAts = [at(-60 * 24 * 30), at(4), at(60), '2999-01-01T00:00:00.000Z'];
      for (const sentAt of sentAts) await put(codec.seal(envelope('tick', { sentAt })));
      await eventually('all are stored', async () => (await stored()).length === sentAts.length);
      const minutesFromNow = (await stored()).map(
        ({ sentAt }) => (new Date(sentAt).getTime() - Date.now()) / 60_000,
      );
      expect(minutesFromNow.map(Math.round)).toEqual([-60 * 24 * 30, 4, 5, 5]);
      // What is told is what is stored.
      const events = published.slice(-4).map(({ body }) => JSON.parse(body).message.sentAt);
      expect(events.map((sentAt) => Math.round((Date.parse(sentAt) - Date.now()) / 60_000))).toEqual([
        ...[-60 * 24 * 30, 4, 5, 5],
      ]);
    });

    test('the log names the request of all that is refused, and at debug of all that is stored', async () => {
      const { chatId, accept, put, envelope, stored } = await world();
      const stranger = envelope('let me in', { senderId: newId(), requestId: 'refused-1' });
      const { brokerMessageId, clientMessageId } = await accept('Hello', 'stored-1');
      await accept('Hello again', 'conflict-1', clientMessageId);
      await put(codec.seal(stranger), stranger.brokerMessageId);
      const invalid = envelope('', { requestId: 'poison-1' });
      await put(codec.seal(invalid), invalid.brokerMessageId);
      await eventually('it is stored', async () => (await stored()).length === 1);
      const line = (requestId: string) => lines.find((each) => each.requestId === requestId);
      for (const requestId of ['stored-1', 'conflict-1', 'refused-1', 'poison-1']) {
        await eventually(`${requestId} is told`, () => line(requestId) !== undefined);
      }
      expect(line('stored-1')).toMatchObject({
        level: 'debug',
        chatId,
        messageId: brokerMessageId,
        sequence: 1,
      });
      expect(line('conflict-1')).toMatchObject({ level: 'info', chatId, messageId: brokerMessageId });
      expect(line('refused-1')).toMatchObject({
        ...{ level: 'warn', chatId, messageId: stranger.brokerMessageId, reason: 'not_participant' },
      });
      expect(line('poison-1')).toMatchObject({ level: 'warn', messageId: invalid.brokerMessageId });
      // Never what was said.
      expect(JSON.stringify(lines)).not.toContain('Hello');
      await takeLetters();
    });

    test('what somebody vouches for is stored when it is replayed', async () => {
      const { envelope, put, stored } = await world();
      const early = envelope('from before there were signatures');
      await put(JSON.stringify(early), early.brokerMessageId);
      const store = await base.queue.deadLetterStore();
      const isDead = () =>
        eventually('it is dead', async () =>
          (await store.list()).some(({ id }) => id === early.brokerMessageId),
        );
      await isDead();
      expect(await Array.fromAsync(store.replay([early.brokerMessageId]))).toEqual([early.brokerMessageId]);
      await isDead();
      expect(await Array.fromAsync(store.replay([early.brokerMessageId], codec.vouch))).toEqual([
        early.brokerMessageId,
      ]);
      await eventually('it is stored', async () => (await stored()).length === 1);
      expect(await takeLetters()).toEqual({});
    });
  });
}
