import { recordIdentity } from '../db/identity.ts';
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { assertPartitioning, notificationKey } from '../db/settings.ts';
import type { AdapterParts, Adapters } from './adapters.ts';
import { createRedisFacts } from './admission/redis.ts';
import { openAdmissionRedis } from './admission/redis-client.ts';
import { createRedisRateLimits } from './admission/redis-limits.ts';
import { createNotificationCodec } from './notifications/codec.ts';
import { openPushLink } from './notifications/push-link.ts';
import { createRedisNotifier, createRedisSubscriber } from './notifications/redis.ts';
import { once } from './once.ts';
import { createRedisPresence } from './presence/redis.ts';
import { openRabbitMq } from './queue/rabbitmq.ts';
import { openRedis, redisReady } from './redis.ts';
import { createDatabaseRegistry } from './registry/database.ts';
import { StartError } from './start-error.ts';

/** PostgreSQL, RabbitMQ and Redis. @param waitMs how long each is waited for at the start */
export function serverAdapters({
  name,
  config,
  log,
  lifecycle,
  waitMs = 60_000,
}: AdapterParts & { waitMs?: number }): Adapters {
  const { partitionCount, notificationChannel: prefix } = config;

  const database = once(async () => {
    const opened = await openReadyPostgres({
      url: config.databaseUrl,
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

  const rabbitMq = once(async () => {
    const opened = openRabbitMq({ broker: config.broker, partitionCount, log, waitMs });
    lifecycle.defer('RabbitMQ', () => opened.close());
    return opened;
  });

  const commands = once(async () => {
    const client = openRedis({ redis: config.redis, log });
    lifecycle.defer('Redis (commands)', () => client.disconnect());
    const address = `${config.redis.host}:${config.redis.port}`;
    let reason: string | undefined;
    const onError = (error: Error) => {
      if (reason === undefined) log.info(`waiting for Redis at ${address}, ${waitMs / 1000} s at most`);
      reason = error.message;
    };
    client.on('error', onError);
    await redisReady(client, waitMs).catch((cause) => {
      throw new StartError(
        `Redis at ${address} was not there within ${waitMs / 1000} s: ${reason ?? 'no answer'}`,
        { cause },
      );
    });
    client.off('error', onError);
    return client;
  });
  const notOneMore = (cause: unknown) => {
    throw new StartError(`Redis did not take one more connection within ${waitMs / 1000} s`, { cause });
  };
  const admission = once(async () => {
    // Waits for Redis, or says that it is not there.
    await commands();
    const client = openAdmissionRedis({ redis: config.redis, log });
    lifecycle.defer('Redis (admission)', () => client.close());
    await client.ready(waitMs).catch(notOneMore);
    return client;
  });
  const subscriptions = once(async () => {
    await commands();
    const link = openPushLink({ redis: config.redis, log });
    lifecycle.defer('Redis (subscriber)', () => link.close());
    await link.ready(waitMs).catch(notOneMore);
    return link;
  });
  const codec = once(async () => createNotificationCodec(await notificationKey(await database())));
  const subscriber = once(async () => {
    const opened = createRedisSubscriber(await subscriptions(), prefix, await codec());
    lifecycle.defer('the subscriptions', () => opened.close());
    return opened;
  });

  return {
    partitionCount,
    database,
    sendQueue: async () => (await rabbitMq()).sendQueue(),
    partitionSource: async () => (await rabbitMq()).partitionSource(),
    deadLetterSink: async () => (await rabbitMq()).deadLetterSink(),
    deadLetterStore: async () => (await rabbitMq()).deadLetterStore(),
    notifier: once(async () => createRedisNotifier(await commands(), prefix, await codec())),
    subscriber,
    facts: once(async () => createRedisFacts(await admission(), prefix)),
    rateLimits: once(async () => createRedisRateLimits(await admission(), prefix, config.rateLimits)),
    presence: once(async () => createRedisPresence(await commands(), prefix)),
    workerRegistry: once(async () => createDatabaseRegistry(await database())),
    hintsReady: async () => (await commands()).status === 'ready',
  };
}
