import { afterAll, expect, test } from 'bun:test';
import { redisMark } from '../../src/adapters/fingerprints.ts';
import { openRedis } from '../../src/adapters/redis/client.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { watchRedis } from '../../src/adapters/redis/watch.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { message } from '../conformance/notifications.ts';
import { eventually } from '../support/eventually.ts';
import { openTestRedis, openTestSubscriber, redisConfigOf, unheardOutages } from '../support/redis.ts';
import { repository } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const undo: (() => void)[] = [];
afterAll(() => {
  for (const step of undo.reverse()) step();
});

test.each(['realtime-chat-setup', 'redis'])(
  'what docs/%s.md lets a user of Redis do is all that is done there',
  async (name) => {
    const text = await Bun.file(`${repository}/docs/${name}.md`).text();
    const [, user = '', permissions = ''] = /^user (\w+) on ><REDIS_PASSWORD> (.+)$/m.exec(text) ?? [];
    expect(permissions).toContain('~chat.notifications:*');
    const server = await servers.createRedis();
    // Connected before, it stays who it is.
    const admin = await openTestRedis(server.url);
    undo.push(() => admin.disconnect());
    const administrator = ['SETUSER', 'admin', 'on', '>pw', '~*', '&*', '+@all'];
    await admin.call('ACL', ...administrator);
    await admin.call('AUTH', 'admin', 'pw');
    await admin.call('ACL', 'SETUSER', 'default', 'off');
    await admin.call('ACL', 'SETUSER', user, 'reset', 'on', '>secret', ...permissions.split(' '));
    await admin.call('ACL', 'LOG', 'RESET');

    const url = `redis://${user}:secret@127.0.0.1:${server.port}`;
    const { notificationChannel: prefix, rateLimits } = parseConfig({});
    const redis = redisConfigOf(url);
    const client = await openRedis(redis);
    const watch = watchRedis({ client, redis, prefix, outages: unheardOutages });
    undo.push(() => {
      watch.close();
      client.disconnect();
    });
    expect(await watch.start()).toBe(true);
    expect(await redisMark(client, prefix)).toMatch(/./);

    const admission = createAdmissionRedis(client, createMetrics());
    const facts = createRedisFacts(admission, prefix);
    await facts.fill(['session:s']);
    expect(await facts.read(['session:s'])).toEqual([true]);
    await facts.revoke(['session:s']);
    await facts.restore(['session:s']);
    const limits = createRedisRateLimits(admission, prefix, { ...rateLimits, user: 1 }, 'a key');
    await limits.consume([{ limit: 'user', key: 'u' }]);
    await expect(limits.consume([{ limit: 'user', key: 'u' }])).rejects.toMatchObject({
      code: 'rate_limited',
    });
    expect(await limits.count({ limit: 'guesses', key: 'ada@example.com' })).toBe(1);
    await limits.giveBack([{ limit: 'guesses', key: 'ada@example.com' }]);

    const presence = createRedisPresence(client, prefix);
    await presence.heartbeat(new Map([['ada', new Set(['s1'])]]));
    await presence.update('bob', new Set(['s2']));
    expect(await presence.online(['ada', 'bob'])).toEqual(new Set(['ada', 'bob']));
    await presence.update('bob', new Set());
    await presence.leave();

    const codec = createNotificationCodec('a key');
    const times = { heartbeatMs: 20, deafAfterMs: 6_000 };
    const { subscriber, close } = await openTestSubscriber(redis, { commands: client, prefix, codec, times });
    undo.push(close);
    let heard = 0;
    subscriber.onNotifications((batch) => {
      heard += batch.length;
    });
    const chatId = crypto.randomUUID();
    await subscriber.subscribe([`chat:${chatId}`]);
    await createRedisNotifier(client, prefix, codec, createMetrics()).publish([message(chatId, 1)]);
    await eventually('it is heard', () => heard === 1);
    await subscriber.unsubscribe([`chat:${chatId}`]);

    // Of whatever was refused since.
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
  },
);
