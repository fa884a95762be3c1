import { expect, test } from 'bun:test';
import pino from 'pino';
import type { BatchVerdict, Delivery, HandleBatch } from '../../src/shared/ports/queue.ts';
import type { LiveProcess } from '../../src/shared/ports/registry.ts';
import { createInHand } from '../../src/worker/in-hand.ts';
import { sharePartitions } from '../../src/worker/share-partitions.ts';
import { eventually } from '../support/eventually.ts';
import { testMembership } from '../support/queue-parts.ts';

const sentAt = '2026-02-14T12:00:00.000Z';
const delivery = (partition: number, body: string): Delivery => ({ id: 'an id', body, partition });
const batchOf = (partition: number) => [
  delivery(partition, JSON.stringify({ sentAt })),
  delivery(partition, JSON.stringify({ sentAt: '2026-02-14T12:00:01.000Z' })),
];

test('what a worker has had longest in hand is told with its beats, until it is done with or another’s', async () => {
  const beats: LiveProcess[] = [];
  const handlers = new Map<number, HandleBatch>();
  const stored = Promise.withResolvers<BatchVerdict>();
  const inHand = createInHand();
  const share = await sharePartitions({
    membership: testMembership(
      {
        async beat(self) {
          beats.push(self);
          return { live: [self], databaseTime: Date.now() };
        },
        async leave() {},
      },
      { beatMs: 5 },
    ),
    partitionCount: 4,
    async consume(partition, leaving) {
      handlers.set(
        partition,
        inHand.watched(partition, leaving, () => stored.promise),
      );
      return { close: async () => {} };
    },
    oldest: inHand.oldest,
    log: pino({ level: 'silent' }),
  });
  const handle = (partition: number) => handlers.get(partition)?.(batchOf(partition), () => true);
  const isTold = (what: object) => eventually('it is told', () => Bun.deepEquals(beats.at(-1)?.oldest, what));
  expect(beats[0]?.oldest).toEqual({});
  const handling = [handle(1), handle(3)];
  await isTold({ 1: sentAt, 3: sentAt });
  stored.resolve('done');
  await Promise.all(handling);
  await isTold({});
  await share.stop();
});

test('what is for later is still in hand; a body that is none of ours says nothing', async () => {
  const inHand = createInHand();
  const leaving = new AbortController();
  let verdict: BatchVerdict = 'later';
  const handle = inHand.watched(2, leaving.signal, async () => verdict);
  await handle(batchOf(2), () => true);
  expect(inHand.oldest()).toEqual({ 2: sentAt });
  for (const body of ['not JSON', '{}', 'null', '{"sentAt":"yesterday"}', '{"sentAt":1}']) {
    await handle([delivery(2, body)], () => true);
    expect(inHand.oldest()).toEqual({});
  }
  await handle(batchOf(2), () => true);
  leaving.abort();
  expect(inHand.oldest()).toEqual({});
  verdict = 'refused';
  await handle(batchOf(2), () => true);
  expect(inHand.oldest()).toEqual({});
});
