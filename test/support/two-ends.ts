import { afterAll } from 'bun:test';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { notificationKey } from '../../src/db/settings.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { GatewayBase } from './gateway-world.ts';
import { openTestRedis, openTestSubscriber, patientBreaker, redisConfigOf } from './redis.ts';
import { realServers } from './servers.ts';

/**
 * At the top of a file: PostgreSQL and Redis, and what two gateways have of Redis each.
 * @param presenceTtl after which a gateway that says nothing is forgotten
 */
export async function twoEnds(presenceTtl?: { ttlMs: number }): Promise<GatewayBase> {
  const servers = await realServers();
  const prefix = `test-${crypto.randomUUID()}`;
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
  await migrate(database);
  const codec = createNotificationCodec(await notificationKey(database));
  const commands = await openTestRedis(servers.redisUrl);
  afterAll(async () => {
    commands.disconnect();
    await database.close();
  });

  async function end() {
    const redis = redisConfigOf(servers.redisUrl);
    const { subscriber, close } = await openTestSubscriber(redis, { commands, prefix, codec });
    await subscriber.becomeReady(5_000);
    afterAll(close);
    return { subscriber, presence: createRedisPresence(commands, prefix, presenceTtl) };
  }

  return {
    database,
    facts: createRedisFacts(createAdmissionRedis(commands, createMetrics(), patientBreaker()), prefix),
    notifier: createRedisNotifier(commands, prefix, codec, createMetrics()),
    ends: [await end(), await end()],
  };
}
