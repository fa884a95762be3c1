import type { HandleBatch } from '../shared/ports/queue.ts';
import type { Oldest } from '../shared/ports/registry.ts';

/** What this worker has had longest of each of its partitions. */
export interface InHand {
  /** @param leaving aborted when the partition is to be another's */
  watched(partition: number, leaving: AbortSignal, handle: HandleBatch): HandleBatch;
  oldest(): Oldest;
}

/** A batch is looked into when somebody asks, with a beat, and not before. */
export function createInHand(): InHand {
  const batches = new Map<number, string>();

  return {
    watched(partition, leaving, handle) {
      leaving.addEventListener('abort', () => batches.delete(partition));
      return async (batch, current) => {
        if (batch[0]) batches.set(partition, batch[0].body);
        const verdict = await handle(batch, current);
        // What is for later is the oldest until it comes again.
        if (verdict !== 'later') batches.delete(partition);
        return verdict;
      };
    },
    oldest: () =>
      Object.fromEntries(
        [...batches].flatMap(([partition, body]) => {
          const sentAt = sentAtOf(body);
          return sentAt === undefined ? [] : [[partition, sentAt]];
        }),
      ),
  };
}

/** Undefined for a body that is none of ours. */
export function sentAtOf(body: string): string | undefined {
  try {
    const { sentAt } = JSON.parse(body);
    return typeof sentAt === 'string' && !Number.isNaN(Date.parse(sentAt)) ? sentAt : undefined;
  } catch {
    return undefined;
  }
}
