import { kinds } from '../changes/kinds.ts';
import type { Database } from '../db/database.ts';
import { recordIdentity } from '../db/identity.ts';
import { measuredDatabase } from '../db/measured.ts';
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import type { PostgresDatabase } from '../db/postgres.ts';
import { assertPartitioning, notificationKey } from '../db/settings.ts';
import { createMembership } from '../process/membership.ts';
import { redisText } from '../shared/config/redis-address.ts';
import { createMetrics } from '../shared/metrics/metrics.ts';
import { once } from '../shared/once.ts';
import { abilities } from '../shared/ports/registry.ts';
import { createFingerprints, redisMark } from './fingerprints.ts';
import type { AdapterParts, Adapters } from './ground.ts';
import { createDatabaseRegistry } from './postgres/registry.ts';
import { openRabbitMq } from './rabbitmq/rabbitmq.ts';
import { openRedis, openSubscriberRedis } from './redis/client.ts';
import { createRedisFacts } from './redis/facts.ts';
import { createNotificationCodec } from './redis/notification-codec.ts';
import { createRedisNotifier } from './redis/notifier.ts';
import { createRedisOutages } from './redis/outages.ts';
import { createRedisPresence } from './redis/presence.ts';
import { createRedisRateLimits } from './redis/rate-limits.ts';
import { createAdmissionRedis } from './redis/redis-turn.ts';
import { createRedisSubscriber } from './redis/subscriber.ts';
import { watchRedis } from './redis/watch.ts';

/** How long a further connection to a Redis that is there may take before the process goes on without it. */
const furtherConnectionMs = 2_000;

/**
 * PostgreSQL, RabbitMQ and Redis.
 * @param waitMs how long PostgreSQL and RabbitMQ are waited for at the start; Redis, which only hints, is not
 */
export function serverAdapters({
  name,
  instance,
  config,
  log,
  lifecycle,
  metrics = createMetrics(),
  waitMs = 60_000,
}: AdapterParts & { waitMs?: number }): Adapters {
  const { partitionCount, notificationChannel: prefix } = config;

  function counted(opened: PostgresDatabase): Database {
    metrics.read('db_client_connections', () => {
      const { used, idle } = opened.load();
      return [
        [{ state: 'used' } as const, used],
        [{ state: 'idle' } as const, idle],
      ];
    });
    metrics.read('db_client_connection_pending_requests', () => opened.load().waiting);
    metrics.read('db_client_connection_max', () => opened.load().most);
    return measuredDatabase(opened, metrics);
  }

  const ready = once(async () => {
    const opened = await openReadyPostgres({
      ...config.database,
      applicationName: name,
      // Production migrates once, before its processes start.
      migrates: config.environment !== 'production',
      waitMs,
      log,
    });
    lifecycle.defer('PostgreSQL', () => opened.close());
    await assertPartitioning(opened, partitionCount);
    await recordIdentity(opened, log);
    return opened;
  });
  const database = once(async () => counted(await ready()));
  /** A connection of its own: a beat that waits behind requests or batches would have this process taken for dead. */
  const registryDatabase = once(async () => {
    const opened = (await ready()).beside(1);
    lifecycle.defer('PostgreSQL (beat)', () => opened.close());
    return counted(opened);
  });

  let brokerName: () => string | undefined = () => undefined;
  const rabbitMq = once(async () => {
    const opened = openRabbitMq({ broker: config.broker, partitionCount, log, metrics, waitMs });
    brokerName = opened.brokerName;
    lifecycle.defer('RabbitMQ', () => opened.close());
    return opened;
  });

  const outages = createRedisOutages(log, redisText(config.redis));
  const redis = once(async () => {
    const client = await openRedis(config.redis);
    const watch = watchRedis({ client, redis: config.redis, prefix, outages });
    lifecycle.defer('Redis (commands)', () => {
      watch.close();
      client.disconnect();
    });
    return { client, watch, isThere: await watch.start() };
  });
  const commands = async () => (await redis()).client;
  const admission = once(async () => createAdmissionRedis(await commands(), metrics));
  const key = once(async () => notificationKey(await database()));
  const codec = once(async () => createNotificationCodec(await key()));
  /** Undefined in processes that subscribe to nothing. */
  let isListening: (() => boolean) | undefined;
  const subscriber = once(async () => {
    const { client: commands, isThere } = await redis();
    const parts = { commands, prefix, codec: await codec(), outages, metrics };
    const client = await openSubscriberRedis(config.redis, commands);
    lifecycle.defer('Redis (subscriber)', () => client.disconnect());
    const opened = createRedisSubscriber({ client, ...parts });
    lifecycle.defer('the subscriptions', () => opened.close());
    isListening = opened.ready;
    // Whoever comes up while Redis is there has all of it from the first request on; nobody waits for one that is not.
    if (isThere) await opened.becomeReady(furtherConnectionMs).catch(() => {});
    return opened;
  });

  const membership = once(async () => {
    const client = await commands();
    return createMembership({
      registry: createDatabaseRegistry(await registryDatabase()),
      fingerprints: createFingerprints({
        ...{ key: await key(), config, broker: () => brokerName() },
        mark: () => redisMark(client, prefix),
      }),
      kinds: [...Object.keys(kinds), ...abilities],
      ...{ log, id: instance },
    });
  });

  return {
    partitionCount,
    systems: { queue: 'rabbitmq', notifications: 'redis', database: 'postgresql' },
    database,
    sendQueue: async () => (await rabbitMq()).sendQueue(),
    partitionSource: async () => (await rabbitMq()).partitionSource(),
    deadLetterSink: async () => (await rabbitMq()).deadLetterSink(),
    deadLetterStore: async () => (await rabbitMq()).deadLetterStore(),
    notifier: once(async () => createRedisNotifier(await commands(), prefix, await codec(), metrics)),
    subscriber,
    facts: once(async () => createRedisFacts(await admission(), prefix)),
    rateLimits: once(async () =>
      createRedisRateLimits(await admission(), prefix, config.rateLimits, await key()),
    ),
    presence: once(async () => createRedisPresence(await commands(), prefix)),
    membership,
    async hintsReady() {
      const { watch } = await redis();
      return watch.isUp() && isListening?.() !== false;
    },
    peersAgree: async () => (await membership()).agrees(),
  };
}
