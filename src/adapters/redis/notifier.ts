import { chunks } from '../../shared/chunks.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import type { Notifier } from '../../shared/ports/notifications.ts';
import type { RedisClient } from './client.ts';
import { measureRedis } from './measure.ts';
import type { NotificationCodec } from './notification-codec.ts';

/**
 * Channels and payloads in turn. A batch is one command: as a PUBLISH each, ioredis took 8 µs a message, a quarter of all
 * that the worker does for it.
 */
const publishAll = `for at = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[at], ARGV[at + 1]) end`;

/** More would keep Redis from its other clients for more than a millisecond. */
const mostPublished = 500;

interface PublishingRedis {
  publishAll(channelsAndPayloads: string[]): Promise<unknown>;
}

/**
 * One channel a topic, `<prefix>:chat:<id>` and `<prefix>:user:<id>`: Redis sends a gateway only what its own users need.
 * @param client of role `commands`
 */
export function createRedisNotifier(
  client: RedisClient,
  prefix: string,
  codec: NotificationCodec,
  metrics: Metrics,
): Notifier {
  const measured = measureRedis(metrics, 'publish');
  client.defineCommand('publishAll', { numberOfKeys: 0, lua: publishAll });
  const scripted = client as unknown as PublishingRedis;

  return {
    async publish(notifications) {
      await measured(() =>
        Promise.all(
          chunks(notifications, mostPublished).map((some) =>
            scripted.publishAll(some.flatMap((one) => [`${prefix}:${one.topic}`, codec.encode(one)])),
          ),
        ),
      );
    },
  };
}
