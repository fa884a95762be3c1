import { afterEach, describe, expect, test } from 'bun:test';
import type {
  BatchVerdict,
  ConsumeOptions,
  Consumer,
  Delivery,
  Queue,
} from '../../src/shared/ports/queue.ts';
import { eventually } from '../support/eventually.ts';

export interface QueueUnderTest {
  /** Another process's view of the same queues; the suite closes it. */
  open: () => Promise<Queue>;
  /** Differences, each with its reason. */
  differs?: {
    /** Two views of one queue at a time: not where the queue lives in one process. */
    oneViewOnly?: string;
  };
}

export const partitionCount = 13;
const options: ConsumeOptions = { batchSize: 10, bufferedBatches: 1 };

/** What every queue does alike. Each test has its own partition, so that none sees what another left. */
export function queueConformance(name: string, { open, differs = {} }: QueueUnderTest): void {
  describe(`queue: ${name}`, () => {
    const opened: Queue[] = [];
    let partition = -1;

    async function queue(): Promise<Queue> {
      const next = await open();
      opened.push(next);
      return next;
    }

    function nextPartition(): number {
      partition += 1;
      if (partition >= partitionCount) throw new Error('more tests than partitions');
      return partition;
    }

    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
    });

    test('what is published is durable when publish resolves, and comes in the order of the calls', async () => {
      const at = nextPartition();
      const first = await queue();
      const send = await first.sendQueue();
      expect(send.ready()).toBe(true);
      const ids = numbered(500);
      await Promise.all(ids.map((id) => send.publish({ id, partition: at, body: `{"at":"${id} ü"}` })));
      await first.close();

      const seen = await collect(await queue(), at, 500);
      expect(seen.map(({ id }) => id)).toEqual(ids);
      expect(seen[7]).toEqual({ id: '7', partition: at, body: '{"at":"7 ü"}' });
    });

    test('the first message does not wait; one batch is in hand, the next is at most batchSize', async () => {
      const at = nextPartition();
      const both = await queue();
      const sizes: number[] = [];
      const order: string[] = [];
      let inHand = 0;
      const gate = Promise.withResolvers<void>();
      await (await both.partitionSource()).consume(at, options, async (batch) => {
        inHand += 1;
        expect(inHand).toBe(1);
        sizes.push(batch.length);
        order.push(...batch.map(({ id }) => id ?? ''));
        await gate.promise;
        inHand -= 1;
        return 'done';
      });
      await publish(both, at, ['0']);
      await eventually('the first message is in hand', () => sizes.length === 1);
      expect(sizes).toEqual([1]);
      await publish(both, at, numbered(26).slice(1));
      gate.resolve();
      await eventually('all came', () => order.length === 26);
      expect(order).toEqual(numbered(26));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
    });

    test('a batch for later, or one whose handler threw, comes again in order, before what follows it', async () => {
      const at = nextPartition();
      const both = await queue();
      await publish(both, at, numbered(15));
      const seen: string[] = [];
      const answers: (() => BatchVerdict)[] = [
        () => 'later',
        () => {
          throw new Error('a handler that throws');
        },
      ];
      const done: string[] = [];
      await (await both.partitionSource()).consume(at, options, async (batch) => {
        const ids = batch.map(({ id }) => id ?? '');
        seen.push(...ids);
        const verdict = answers.shift()?.() ?? 'done';
        if (verdict === 'done') done.push(...ids);
        return verdict;
      });
      await eventually('all are done', () => done.length === 15);
      expect(done).toEqual(numbered(15));
      expect(seen.length).toBeGreaterThan(15);
      expect(seen[0]).toBe('0');
    });

    test('what was done just before a batch for later does not come again', async () => {
      const at = nextPartition();
      const both = await queue();
      const seen: (string | undefined)[] = [];
      await (await both.partitionSource()).consume(at, options, async (batch) => {
        seen.push(...batch.map(({ id }) => id));
        return seen.length === 2 ? 'later' : 'done';
      });
      await publish(both, at, ['0']);
      await eventually('the first is done', () => seen.length === 1);
      await publish(both, at, ['1']);
      await eventually('the second came twice', () => seen.length > 2);
      await publish(both, at, ['2']);
      await eventually('the third came', () => seen.at(-1) === '2');
      expect(seen).toEqual(['0', '1', '1', '2']);
    });

    test('leaving waits for the batch in hand, forgets it, and leaves the rest in its place', async () => {
      const at = nextPartition();
      const both = await queue();
      await publish(both, at, numbered(30));
      const gate = Promise.withResolvers<void>();
      const first: string[] = [];
      const consumer = await (await both.partitionSource()).consume(at, options, async (batch) => {
        first.push(...batch.map(({ id }) => id ?? ''));
        await gate.promise;
        return 'done';
      });
      await eventually('a batch is in hand', () => first.length > 0);
      let left = false;
      const leaving = consumer.close().then(() => (left = true));
      await publish(both, at, ['30']);
      expect(left).toBe(false);
      gate.resolve();
      await leaving;
      const rest = await collect(both, at, 31 - first.length);
      expect([...first, ...rest.map(({ id }) => id ?? '')]).toEqual(numbered(31));
    });

    test('a partition has one active consumer; the second takes over, in order, when the first leaves', async () => {
      const at = nextPartition();
      const one = await queue();
      const other = differs.oneViewOnly ? one : await queue();
      const seen: { by: string; id: string }[] = [];
      const consume = async (by: string, from: Queue): Promise<Consumer> =>
        (await from.partitionSource()).consume(at, options, async (batch) => {
          seen.push(...batch.map(({ id }) => ({ by, id: id ?? '' })));
          return 'done';
        });
      const first = await consume('first', one);
      await publish(one, at, ['0']);
      await eventually('the first consumes', () => seen.length === 1);
      const second = await consume('second', other);
      await publish(one, at, numbered(20).slice(1));
      await eventually('all came', () => seen.length === 20);
      expect(new Set(seen.map(({ by }) => by))).toEqual(new Set(['first']));
      await first.close();
      await publish(one, at, ['20', '21']);
      await eventually('the second consumes', () => seen.length === 22);
      expect(seen.slice(20)).toEqual([
        { by: 'second', id: '20' },
        { by: 'second', id: '21' },
      ]);
      expect(seen.map(({ id }) => id)).toEqual(numbered(22));
      await second.close();
    });

    test('a partition that is stuck holds up no other', async () => {
      const [stuck, free] = [nextPartition(), nextPartition()];
      const both = await queue();
      const gate = Promise.withResolvers<void>();
      let held = false;
      await (await both.partitionSource()).consume(stuck, options, async () => {
        held = true;
        await gate.promise;
        return 'done';
      });
      await publish(both, stuck, ['0']);
      await eventually('one is stuck', () => held);
      await publish(both, free, ['1']);
      expect((await collect(both, free, 1)).map(({ id }) => id)).toEqual(['1']);
      gate.resolve();
    });

    test('a dead letter keeps reason, time, partition and body; put, dropped and replayed twice it is once', async () => {
      const at = nextPartition();
      const both = await queue();
      const sink = await both.deadLetterSink();
      const store = await both.deadLetterStore();
      const began = Date.now();
      const letter = (id: string | undefined, body: string) => ({
        delivery: { id, body, partition: at },
        reason: `because of ${id}`,
      });
      await sink.put(letter('kept', 'body of kept'));
      await sink.put(letter('kept', 'body of kept'));
      // They are listed by their time, rounded to a millisecond.
      const put = Date.now();
      await eventually('it is later', () => Date.now() > put + 1);
      await sink.put(letter('dropped', 'body of dropped'));
      await sink.put(letter(undefined, 'not JSON, and no id'));

      const listed = await store.list();
      expect(listed.map(({ id }) => id).filter((id) => !id.startsWith('poison-'))).toEqual([
        'kept',
        'dropped',
      ]);
      const kept = listed[0]!;
      expect(kept).toMatchObject({ partition: at, reason: 'because of kept', body: 'body of kept' });
      expect(kept.deadLetteredAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.parse(kept.deadLetteredAt) - began)).toBeLessThan(60_000);
      const nameless = listed.find(({ id }) => id.startsWith('poison-'))!;
      expect(nameless.body).toBe('not JSON, and no id');
      expect(await store.list()).toEqual(listed);

      expect(await Array.fromAsync(store.drop(['dropped', 'unknown']))).toEqual(['dropped']);
      expect(await Array.fromAsync(store.drop(['dropped']))).toEqual([]);
      const rewrite = (body: string) => `${body}, rewritten`;
      expect(await Array.fromAsync(store.replay(['kept', 'unknown'], rewrite))).toEqual(['kept']);
      expect(await Array.fromAsync(store.replay(['kept']))).toEqual([]);
      expect(await Array.fromAsync(store.replay('all'))).toEqual([nameless.id]);
      expect(await Array.fromAsync(store.replay('all'))).toEqual([]);
      expect(await store.list()).toEqual([]);

      const seen = new Map<string, Delivery>();
      await (await both.partitionSource()).consume(at, options, async (batch) => {
        for (const delivery of batch) seen.set(delivery.body, delivery);
        return 'done';
      });
      await eventually('the replayed are back in their partition', () => seen.size === 2);
      const body = 'body of kept, rewritten';
      expect(seen.get(body)).toEqual({ id: 'kept', partition: at, body });
      expect(seen.has('not JSON, and no id')).toBe(true);
    });

    test('of a replay that fails half-way it is told what is back, and the rest is still dead', async () => {
      const at = nextPartition();
      const both = await queue();
      const sink = await both.deadLetterSink();
      const store = await both.deadLetterStore();
      for (const id of ['first', 'second'])
        await sink.put({ delivery: { id, body: id, partition: at }, reason: 'not_participant' });
      const told: string[] = [];
      const rewrite = (body: string) => {
        if (body === 'second') throw new Error('nobody vouches for it');
        return body;
      };
      const replaying = (async () => {
        for await (const id of store.replay('all', rewrite)) told.push(id);
      })();
      await expect(replaying).rejects.toThrow('nobody vouches for it');
      const left = async () => (await store.list()).map(({ id }) => id);
      await eventually('each is either told or dead', async () =>
        Bun.deepEquals([...told, ...(await left())], ['first', 'second']),
      );
      await Array.fromAsync(store.drop(['first', 'second']));
    });

    test('what waits is what no consumer has in hand', async () => {
      const at = nextPartition();
      const both = await queue();
      const source = await both.partitionSource();
      const before = await source.waiting();
      const wait = (count: number) =>
        eventually(`${count} more wait`, async () => (await source.waiting()) === before + count);
      await publish(both, at, numbered(3));
      await wait(3);
      await collect(both, at, 3);
      await wait(0);
    });

    test('once closed it takes nothing: broker_unavailable, with a time to come back', async () => {
      const closed = await queue();
      const send = await closed.sendQueue();
      await closed.close();
      expect(send.ready()).toBe(false);
      const error = await send.publish({ id: 'x', partition: 0, body: '{}' }).catch((reason) => reason);
      expect(error).toMatchObject({ code: 'broker_unavailable', retryAfterSeconds: 2 });
    });
  });
}

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at));

export async function publish(queue: Queue, partition: number, ids: readonly string[]): Promise<void> {
  const send = await queue.sendQueue();
  await Promise.all(ids.map((id) => send.publish({ id, partition, body: `{"id":"${id}"}` })));
}

/** Consumes the partition until `count` have come, then leaves it. */
export async function collect(queue: Queue, partition: number, count: number): Promise<Delivery[]> {
  const seen: Delivery[] = [];
  const consumer = await (await queue.partitionSource()).consume(partition, options, async (batch) => {
    seen.push(...batch);
    return 'done';
  });
  await eventually(`${count} deliveries`, () => seen.length >= count);
  await consumer.close();
  return seen;
}
