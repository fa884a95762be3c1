import type { Database } from '../db/database.ts';
import { wasReplaced, watchDatabase } from '../db/identity.ts';
import { readStored } from '../db/queries/history.ts';
import { isStoring, storeMessages } from '../db/queries/store-messages.ts';
import type { Membership } from '../process/membership.ts';
import type { Config } from '../shared/config.ts';
import type { EnvelopeCodec } from '../shared/envelope-codec.ts';
import type { Logger } from '../shared/log.ts';
import { createMetrics, type Metrics } from '../shared/metrics/metrics.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import type { DeadLetterSink, PartitionSource, QueueDepth } from '../shared/ports/queue.ts';
import { createAnnouncer } from './announcer.ts';
import { createBatchHandler } from './batch.ts';
import { gatherBatches } from './gather.ts';
import { createPurge } from './purge.ts';
import { sharePartitions } from './share-partitions.ts';
import { createTellStored } from './tell-stored.ts';
import type { BatchTraces } from './trace-batches.ts';
import { createUnsignedRule } from './unsigned.ts';
import { createWorkerMetrics, tellShare } from './worker-metrics.ts';

export interface Worker {
  /** Finishes the batches in hand and has them acknowledged, gives the partitions to the others, leaves. */
  stop(): Promise<void>;
  /** Whether it takes its part of the partitions now. */
  ready(): boolean;
  /** What is wrong with partitions, its own or not, and why it stores nothing. */
  problems(): readonly string[];
  /** How much waits in all of them. */
  depth(): QueueDepth | undefined;
}

export async function startWorker(dependencies: {
  database: Database;
  partitionSource: PartitionSource;
  deadLetterSink: DeadLetterSink;
  notifier: Notifier;
  membership: Membership;
  envelopes: Pick<EnvelopeCodec, 'signatureOf'>;
  config: Config['worker'] & { partitionCount: number };
  traces?: BatchTraces | undefined;
  metrics?: Metrics;
  log: Logger;
}): Promise<Worker> {
  const { database, partitionSource, deadLetterSink, notifier, membership, envelopes } = dependencies;
  const { config, metrics = createMetrics(), traces, log } = dependencies;
  const announcer = createAnnouncer({ notifier: traces ? traces.notifier(notifier) : notifier, log });
  let workers = () => 1;
  const stores = {
    ...gatherBatches(
      (batch) => storeMessages(database, batch),
      config.batchSize,
      log,
      () => workers(),
    ),
    work: () => isStoring(database),
  };
  const tellStored = createTellStored({ read: (wanted) => readStored(database, wanted), log });
  const watch = await watchDatabase(database, log);
  const unsigned = createUnsignedRule({ database, waiting: partitionSource.waiting, log });
  const purge = createPurge({ database, log });
  const { databaseTime } = membership;
  const handling = {
    stores: traces ? traces.stores(stores) : stores,
    watch,
    envelopes,
    unsigned,
    tellStored: traces ? traces.tellStored(tellStored) : tellStored,
    databaseTime,
    deadLetterSink,
    announcer,
    config,
    log,
  };
  const workerMetrics = createWorkerMetrics(metrics);
  const share = await sharePartitions({
    membership,
    partitionCount: config.partitionCount,
    async consume(partition, leaving) {
      const measured = workerMetrics.partition(partition);
      const handle = createBatchHandler({ ...handling, measured, leaving });
      const consumer = await partitionSource.consume(
        partition,
        config,
        traces ? traces.handle(handle) : handle,
      );
      return { close: () => consumer.close().finally(measured.end) };
    },
    oldest: workerMetrics.oldest,
    onBeat() {
      void unsigned.look();
      purge.look();
    },
    log,
  });
  workers = share.workers;
  tellShare(metrics, share, partitionSource, config.partitionCount);

  return {
    async stop() {
      await share.stop();
      await purge.stop();
      await announcer.stop();
    },
    ready: () => share.ready() && partitionSource.ready() && !watch.replaced(),
    problems: () => [...partitionSource.problems(), ...(watch.replaced() ? [wasReplaced] : [])],
    depth: partitionSource.depth,
  };
}
