import { kinds } from '../changes/kinds.ts';
import { measuredDatabase } from '../db/measured.ts';
import { assertPartitioning } from '../db/settings.ts';
import type { DataFolder } from '../process/data-folder.ts';
import { createMembership } from '../process/membership.ts';
import { createMetrics } from '../shared/metrics/metrics.ts';
import { once } from '../shared/once.ts';
import { abilities } from '../shared/ports/registry.ts';
import { createEmbeddedFacts, createEmbeddedRateLimits } from './embedded/admission.ts';
import { createEmbeddedNotifications } from './embedded/notifications.ts';
import { createEmbeddedPresence } from './embedded/presence.ts';
import { createEmbeddedQueue } from './embedded/queue.ts';
import { createLocalRegistry } from './embedded/registry.ts';
import { vacuumWhenIdle } from './embedded/vacuum.ts';
import type { AdapterParts, Adapters } from './ground.ts';

/** Whatever the environment says of RabbitMQ's: with one database connection more would be no faster. */
const partitionCount = 8;

/** Everything in this process, on the folder's database. */
export function embeddedAdapters({
  config,
  log,
  lifecycle,
  metrics = createMetrics(),
  folder,
}: AdapterParts & { folder: DataFolder }): Adapters {
  const database = once(async () => {
    const opened = await folder.openDatabase();
    lifecycle.defer('the database', () => opened.close());
    await assertPartitioning(opened, partitionCount);
    const vacuumed = vacuumWhenIdle(opened, log);
    lifecycle.defer('vacuuming', () => vacuumed.stop());
    return measuredDatabase(vacuumed.database, metrics);
  });
  const queue = once(async () => {
    const opened = createEmbeddedQueue({ database: await database(), log });
    lifecycle.defer('the queue', () => opened.close());
    return opened;
  });
  const { notifier, subscriber } = createEmbeddedNotifications();
  const facts = createEmbeddedFacts();
  const rateLimits = createEmbeddedRateLimits(config.rateLimits, metrics);
  const presence = createEmbeddedPresence();
  const membership = createMembership({
    registry: createLocalRegistry(),
    fingerprints: async () => ({}),
    kinds: [...Object.keys(kinds), ...abilities],
    log,
  });

  return {
    partitionCount,
    database,
    sendQueue: async () => (await queue()).sendQueue(),
    partitionSource: async () => (await queue()).partitionSource(),
    deadLetterSink: async () => (await queue()).deadLetterSink(),
    deadLetterStore: async () => (await queue()).deadLetterStore(),
    notifier: async () => notifier,
    subscriber: async () => subscriber,
    facts: async () => facts,
    rateLimits: async () => rateLimits,
    presence: async () => presence,
    membership: async () => membership,
    hintsReady: undefined,
    peersAgree: undefined,
  };
}
