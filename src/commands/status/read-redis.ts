import { openRedis } from '../../adapters/redis/client.ts';
import { watchRedis } from '../../adapters/redis/watch.ts';
import { redisText } from '../../shared/config/redis-address.ts';
import type { Config } from '../../shared/config.ts';
import { reasonOf } from '../../shared/loggable.ts';
import type { ServerStatus } from './status.ts';

/** @throws Error with the reason where Redis cannot be asked, or does not do what is needed of it */
export async function readRedis({
  redis,
  notificationChannel: prefix,
}: Pick<Config, 'redis' | 'notificationChannel'>): Promise<ServerStatus> {
  const client = await openRedis(redis);
  let reason: unknown;
  const outages = {
    away(_: unknown, why: unknown) {
      reason = why;
    },
    back() {},
  };
  const watch = watchRedis({ client, redis, prefix, outages });
  try {
    if (!(await watch.start())) throw new Error(`Redis at ${redisText(redis)}: ${reasonOf(reason)}`);
    const info = await client.info('server');
    const told = (name: string) => new RegExp(`^${name}:(.+?)\r?$`, 'm').exec(info)?.[1];
    return { name: 'Redis', version: told('valkey_version') ?? told('redis_version') ?? null, notes: [] };
  } finally {
    watch.close();
    client.disconnect();
  }
}
