import type { Database } from '../../db/database.ts';
import { fullJitterMs, pause } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { ConsumeOptions, Consumer, HandleBatch, PartitionSource } from '../../shared/ports/queue.ts';

const readSql = `SELECT position, id, body FROM queued_messages WHERE partition = $1 ORDER BY position LIMIT $2`;
const waitingSql = `SELECT count(*)::int AS waiting FROM queued_messages`;
const depthsSql = `SELECT partition, count(*)::int AS waiting FROM queued_messages GROUP BY partition`;
const lettersSql = `SELECT count(*)::int AS letters FROM dead_letters`;
const forgetSql = `DELETE FROM queued_messages WHERE position = ANY($1::bigint[])`;

/**
 * Reads a partition's rows in order, deletes them when they are done with. Nothing is buffered behind the batch in hand:
 * the table is as near as a buffer would be.
 */
export function createEmbeddedPartitions({ database, log }: { database: Database; log: Logger }): {
  source: PartitionSource;
  wake: (partitions: Iterable<number>) => void;
  close(): Promise<void>;
} {
  /** Resolved at the next arrival in a partition. */
  const arrivals = new Map<number, PromiseWithResolvers<void>>();
  /** Settles when the last consumer of a partition has left: the next one's turn. */
  const turns = new Map<number, Promise<void>>();
  const consumers = new Set<Consumer>();
  let closed = false;

  const arrival = (partition: number): Promise<void> => {
    const next = arrivals.get(partition) ?? Promise.withResolvers<void>();
    arrivals.set(partition, next);
    return next.promise;
  };

  function wake(partitions: Iterable<number>): void {
    for (const partition of partitions) {
      arrivals.get(partition)?.resolve();
      arrivals.delete(partition);
    }
  }

  async function run(partition: number, batchSize: number, handle: HandleBatch, leaving: AbortSignal) {
    // Woken like by an arrival. Racing a promise that lasts as long as the consumer would keep every one of the races.
    leaving.addEventListener('abort', () => wake([partition]));
    let failures = 0;
    while (!leaving.aborted) {
      const arrived = arrival(partition);
      try {
        const rows = await database.query<{ position: number; id: string; body: string }>(readSql, [
          partition,
          batchSize,
        ]);
        if (rows.length === 0) {
          await arrived;
          continue;
        }
        if (leaving.aborted) return;
        const verdict = await handle(
          rows.map(({ id, body }) => ({ id, body, partition })),
          () => true,
        );
        if (verdict !== 'later') {
          await database.query(forgetSql, [rows.map(({ position }) => position)]);
          failures = 0;
          continue;
        }
      } catch (error) {
        log.warn({ err: error, partition }, 'the queue will try a batch again');
      }
      await pause(fullJitterMs(failures++, 200, 5_000), leaving);
    }
  }

  const source: PartitionSource = {
    async consume(partition: number, options: ConsumeOptions, handle: HandleBatch): Promise<Consumer> {
      const leaving = new AbortController();
      let active = false;
      const turn = (turns.get(partition) ?? Promise.resolve()).then(() => {
        active = true;
        return run(partition, options.batchSize, handle, leaving.signal);
      });
      turns.set(partition, turn);
      const consumer: Consumer = {
        async close() {
          leaving.abort();
          consumers.delete(consumer);
          // Who never had the turn does not wait for it.
          if (active) await turn;
        },
      };
      consumers.add(consumer);
      return consumer;
    },
    async waiting() {
      const [row] = await database.query<{ waiting: number }>(waitingSql, []);
      return row?.waiting ?? 0;
    },
    ready: () => !closed,
    problems: () => [],
    depth: () => undefined,
    async depths() {
      const [letters, rows] = await Promise.all([
        database.query<{ letters: number }>(lettersSql, []),
        database.query<{ partition: number; waiting: number }>(depthsSql, []),
      ]);
      return {
        waiting: new Map(rows.map(({ partition, waiting }) => [partition, waiting])),
        deadLetters: letters[0]?.letters ?? 0,
      };
    },
  };

  return {
    source,
    wake,
    async close() {
      closed = true;
      await Promise.all([...consumers].map((consumer) => consumer.close()));
    },
  };
}
