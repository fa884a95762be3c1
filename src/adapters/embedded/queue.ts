import type { Database } from '../../db/database.ts';
import type { Logger } from '../../shared/log.ts';
import type { Queue } from '../../shared/ports/queue.ts';
import type { Traceparent } from '../../shared/ports/tracing.ts';
import { createEmbeddedDeadLetters } from './dead-letters.ts';
import { createEmbeddedPartitions } from './partitions.ts';
import { createEmbeddedSendQueue } from './send-queue.ts';

/**
 * The queue as two tables of the database that the process has anyway: for one process. It is as durable as that
 * database's commits: PGlite survives the end of the process, not the loss of power.
 */
export function createEmbeddedQueue({ database, log }: { database: Database; log: Logger }): Queue {
  /** Of sampled messages, by their ids, while they are in the queue: whoever ends the process ends their traces. */
  const traces = new Map<string, Traceparent>();
  const partitions = createEmbeddedPartitions({ database, traces, log });
  const sendQueue = createEmbeddedSendQueue({ database, traces, onStored: partitions.wake });
  const { sink, store } = createEmbeddedDeadLetters({ database, onStored: partitions.wake });
  return {
    sendQueue: async () => sendQueue,
    partitionSource: async () => partitions.source,
    deadLetterSink: async () => sink,
    deadLetterStore: async () => store,
    brokerName: () => undefined,
    async close() {
      await sendQueue.close();
      await partitions.close();
    },
  };
}
