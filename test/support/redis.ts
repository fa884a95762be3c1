import type { Redis } from 'ioredis';
import { type Breaker, createBreaker } from '../../src/adapters/redis/breaker.ts';
import { openRedis, openSubscriberRedis, type RedisClient } from '../../src/adapters/redis/client.ts';
import type { NotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import type { RedisOutages } from '../../src/adapters/redis/outages.ts';
import { createRedisSubscriber, type SubscriberTimes } from '../../src/adapters/redis/subscriber.ts';
import type { RedisAddress } from '../../src/shared/config/redis-address.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { eventually } from './eventually.ts';

/** Nobody reads of them. */
export const unheardOutages: RedisOutages = { away() {}, back() {} };

/** `host` and `port` may be those of a proxy. */
export const redisConfigOf = (url: string): RedisAddress => parseConfig({ REDIS_URL: url }).redis;

/** A client of the product's own making; it may not be ready. */
export async function openTestClient(redis: RedisAddress): Promise<RedisClient> {
  const client = await openRedis(redis);
  client.on('error', () => {});
  return client;
}

/** A ready client of one server. */
export async function openTestRedis(url: string): Promise<Redis> {
  const client = await openTestClient(redisConfigOf(url));
  await eventually('Redis is ready', () => client.status === 'ready');
  return client as Redis;
}

/** A subscriber of the product's own making; it may not be ready. */
export async function openTestSubscriber(
  redis: RedisAddress,
  parts: { commands: RedisClient; prefix: string; codec: NotificationCodec; times?: SubscriberTimes },
) {
  const client = await openSubscriberRedis(redis, parts.commands);
  const subscriber = createRedisSubscriber({
    metrics: createMetrics(),
    client,
    outages: unheardOutages,
    ...parts,
  });
  return {
    client,
    subscriber,
    close() {
      subscriber.close();
      client.disconnect();
    },
  };
}

/** For tests of what Redis answers: on a machine that is busy, that it answers late is not what they are about. */
export const patientBreaker = (): Breaker => createBreaker(10_000);
