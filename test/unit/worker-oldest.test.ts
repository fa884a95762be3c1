import { expect, test } from 'bun:test';
import pino from 'pino';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { LiveProcess } from '../../src/shared/ports/registry.ts';
import { sharePartitions } from '../../src/worker/share-partitions.ts';
import { createWorkerMetrics, type PartitionMetrics } from '../../src/worker/worker-metrics.ts';
import { eventually } from '../support/eventually.ts';
import { testMembership } from '../support/queue-parts.ts';

test('what a worker has had longest in hand is told with its beats, until it is done with or another’s', async () => {
  const beats: LiveProcess[] = [];
  const registry = {
    async beat(self: LiveProcess) {
      beats.push(self);
      return { live: [self], databaseTime: Date.now() };
    },
    async leave() {},
  };
  const opened = new Map<number, PartitionMetrics>();
  const metrics = createWorkerMetrics(createMetrics());
  const share = await sharePartitions({
    membership: testMembership(registry, { beatMs: 5 }),
    partitionCount: 4,
    async consume(partition) {
      const measured = metrics.partition(partition);
      opened.set(partition, measured);
      return { close: async () => measured.end() };
    },
    oldest: metrics.oldest,
    log: pino({ level: 'silent' }),
  });
  const sentAt = '2026-02-14T12:00:00.000Z';
  const take = (partition: number) => {
    const end = opened.get(partition)!.begin(2);
    opened.get(partition)!.oldest(Date.parse(sentAt));
    return end;
  };
  const isTold = (what: object) => eventually('it is told', () => Bun.deepEquals(beats.at(-1)?.oldest, what));

  expect(beats[0]?.oldest).toEqual({});
  const [first, third] = [take(1), take(3)];
  await isTold({ 1: sentAt, 3: sentAt });
  first('done');
  // It comes again, and is the oldest until then.
  third('later');
  await isTold({ 3: sentAt });
  opened.get(3)!.end();
  await isTold({});
  // No time at all is none.
  opened.get(2)!.oldest(Number.NaN);
  expect(metrics.oldest()).toEqual({});
  await share.stop();
});
