import type { Database } from '../db/database.ts';
import { storeMessages } from '../db/queries/store-messages.ts';
import type { Config } from '../shared/config.ts';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import type { Notifier } from '../shared/notifications/notifications.ts';
import type { DeadLetterSink, PartitionSource, QueueDepth } from '../shared/queue/queue.ts';
import type { WorkerRegistry } from '../shared/registry/registry.ts';
import { createAnnouncer } from './announcer.ts';
import { createBatchHandler } from './batch.ts';
import { gatherBatches } from './gather.ts';
import { sharePartitions } from './share-partitions.ts';

export interface Worker {
  /** Finishes the batches in hand and has them acknowledged, gives the partitions to the others, leaves. */
  stop(): Promise<void>;
  /** Whether it takes its part of the partitions now. */
  ready(): boolean;
  /** What is wrong with partitions, its own or not. */
  problems(): readonly string[];
  /** How much waits in all of them. */
  depth(): QueueDepth | undefined;
}

export async function startWorker(dependencies: {
  database: Database;
  partitionSource: PartitionSource;
  deadLetterSink: DeadLetterSink;
  notifier: Notifier;
  registry: WorkerRegistry;
  config: Config['worker'] & { partitionCount: number };
  log: Logger;
}): Promise<Worker> {
  const { database, partitionSource, deadLetterSink, notifier, registry, config, log } = dependencies;
  const announcer = createAnnouncer({ notifier, log });
  const stores = gatherBatches((batch) => storeMessages(database, batch), config.batchSize, log);
  const share = await sharePartitions({
    workerId: newId(),
    registry,
    partitionCount: config.partitionCount,
    consume: (partition, leaving) =>
      partitionSource.consume(
        partition,
        config,
        createBatchHandler({ stores, deadLetterSink, announcer, config, log, leaving }),
      ),
    log,
  });

  return {
    async stop() {
      await share.stop();
      await announcer.stop();
    },
    ready: () => share.ready() && partitionSource.ready(),
    problems: partitionSource.problems,
    depth: partitionSource.depth,
  };
}
