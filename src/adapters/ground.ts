import type { Database } from '../db/database.ts';
import type { DataFolder } from '../process/data-folder.ts';
import type { Lifecycle } from '../process/lifecycle.ts';
import type { Membership } from '../process/membership.ts';
import type { Config } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { Facts, RateLimits } from '../shared/ports/admission.ts';
import type { Notifier, Subscriber } from '../shared/ports/notifications.ts';
import type { Presence } from '../shared/ports/presence.ts';
import type { DeadLetterSink, DeadLetterStore, PartitionSource, SendQueue } from '../shared/ports/queue.ts';

/**
 * What Confab stands on. Each opens at its first call, waits for its server as long as the deadline it states, registers
 * its own closing, and gives the same thing at every further call.
 */
export interface Adapters {
  /** Into how many partitions the queue is divided; recorded in the database. */
  readonly partitionCount: number;
  database(): Promise<Database>;
  sendQueue(): Promise<SendQueue>;
  partitionSource(): Promise<PartitionSource>;
  deadLetterSink(): Promise<DeadLetterSink>;
  deadLetterStore(): Promise<DeadLetterStore>;
  notifier(): Promise<Notifier>;
  subscriber(): Promise<Subscriber>;
  facts(): Promise<Facts>;
  rateLimits(): Promise<RateLimits>;
  presence(): Promise<Presence>;
  membership(): Promise<Membership>;
  /** Whether what keeps the hints answers now; undefined where nothing outside the process keeps them. */
  hintsReady: (() => Promise<boolean>) | undefined;
  /** Whether the other processes are set up as this one; undefined where there are none. */
  peersAgree: (() => Promise<boolean>) | undefined;
}

/** Where Confab stands: in one process on a folder, or on PostgreSQL, RabbitMQ and Redis. */
export type Ground = { kind: 'embedded'; folder: DataFolder } | { kind: 'servers'; waitMs?: number };

export interface AdapterParts {
  /** Shown by the servers in their lists of connections. */
  name: string;
  config: Config;
  log: Logger;
  lifecycle: Lifecycle;
  /** Where it is measured; nobody sees it unless given. */
  metrics?: Metrics;
}
