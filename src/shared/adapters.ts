import type { Database } from '../db/database.ts';
import type { Facts, RateLimits } from './admission/admission.ts';
import type { Notifier, Subscriber } from './notifications/notifications.ts';
import type { Presence } from './presence/presence.ts';
import type { DeadLetterSink, DeadLetterStore, PartitionSource, SendQueue } from './queue/queue.ts';
import type { WorkerRegistry } from './registry/registry.ts';

/**
 * What Confab stands on. Each opens at its first call, waits for its server as long as the deadline it states, registers
 * its own closing, and gives the same thing at every further call.
 */
export interface Adapters {
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
  workerRegistry(): Promise<WorkerRegistry>;
}
