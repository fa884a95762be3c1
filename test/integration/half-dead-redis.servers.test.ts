import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { watchRedis } from '../../src/adapters/redis/watch.ts';
import type { RedisAddress } from '../../src/shared/config/redis-address.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Topic } from '../../src/shared/ports/notifications.ts';
import { message } from '../conformance/notifications.ts';
import { createAuthority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { createWire, freeze, type HalfDeadClient, halfDeadSuite } from '../support/half-dead.ts';
import {
  openTestClient,
  openTestRedis,
  openTestSubscriber,
  redisConfigOf,
  unheardOutages,
} from '../support/redis.ts';
import { addressOf, speakTls } from '../support/redis-forms.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const redis = await (await realServers()).createRedis();
/** Not through what lies between. */
const direct = await openTestRedis(redis.url);
afterAll(() => direct.disconnect());

const codec = createNotificationCodec('a key of this test');
const urlOf = (port: number) => `redis://127.0.0.1:${port}`;
const prefix = () => `test-${crypto.randomUUID()}`;
const megabyte = 'x'.repeat(1024 * 1024);
const times = (count: number, work: (at: number) => Promise<unknown>): void => {
  for (let at = 0; at < count; at += 1) work(at).catch(() => {});
};

/** What every request asks, what announces, and presence. */
const commandsOf = (addressAt: (port: number) => RedisAddress): HalfDeadClient => ({
  name: 'commands',
  async open(port) {
    const client = await openTestClient(addressAt(port));
    const name = prefix();
    const [notifier, presence, facts] = [
      createRedisNotifier(client, name, codec, createMetrics()),
      createRedisPresence(client, name),
      createRedisFacts(createAdmissionRedis(client, createMetrics()), name),
    ];
    return {
      async use() {
        const fact = `session:${crypto.randomUUID()}` as const;
        await facts.fill([fact]);
        if ((await facts.read([fact]))[0] !== true) throw new Error('not known');
        await notifier.publish([message(crypto.randomUUID(), 1)]);
        await presence.update('ada', new Set(['s1']));
        if (!(await presence.online(['ada'])).has('ada')) throw new Error('not online');
      },
      fill: () => times(16, () => client.publish(name, megabyte)),
      close: () => client.disconnect(),
    };
  },
});

/** What a gateway hears by. */
const subscriberOf = (addressAt: (port: number) => RedisAddress): HalfDeadClient => ({
  name: 'subscriber',
  async open(port) {
    const name = prefix();
    const parts = { commands: direct, prefix: name, codec };
    const { subscriber: opened, close } = await openTestSubscriber(addressAt(port), parts);
    const notifier = createRedisNotifier(direct, name, codec, createMetrics());
    const heard = new Map<Topic, () => void>();
    opened.onNotifications((batch) => {
      for (const { topic } of batch) heard.get(topic)?.();
    });
    return {
      async use() {
        const news = message(crypto.randomUUID(), 1);
        const { promise, resolve } = Promise.withResolvers<void>();
        heard.set(news.topic, resolve);
        await opened.subscribe([news.topic]);
        await notifier.publish([news]);
        await promise;
        heard.delete(news.topic);
        await opened.unsubscribe([news.topic]);
      },
      fill() {
        const long = 'x'.repeat(4_000);
        const topics = Array.from({ length: 4_000 }, (_, at) => `chat:${at}${long}` as const);
        void opened.subscribe(topics);
        void opened.unsubscribe(topics);
      },
      close,
    };
  },
});

/** Each asks by itself now and then: the first to use a silent connection is not a user. */
describe('Redis frozen for good while nobody asks for anything, new connections work', () => {
  const clients: [string, (port: number) => Promise<{ ready: Promise<unknown>; close(): void }>][] = [
    [
      'commands',
      async (port) => {
        const redis = redisConfigOf(urlOf(port));
        const client = await openTestClient(redis);
        const watch = watchRedis({ client, redis, prefix: prefix(), outages: unheardOutages });
        return {
          ready: watch.start(),
          close() {
            watch.close();
            client.disconnect();
          },
        };
      },
    ],
    [
      'subscriber',
      async (port) => {
        const parts = { commands: direct, prefix: prefix(), codec };
        const { subscriber: opened, close } = await openTestSubscriber(redisConfigOf(urlOf(port)), parts);
        return { ready: opened.becomeReady(5_000), close };
      },
    ],
  ];
  test.concurrent.each(clients)('%s connects again within 10 s', async (_, open) => {
    const wire = createWire(redis.port);
    const { ready, close } = await open(wire.port);
    await ready;
    freeze(wire);
    wire.leaveBehind();
    const began = runningMs();
    await eventually('it connects again', () => wire.connections() === 1, 15_000);
    expect(runningMs() - began).toBeLessThan(10_000);
    close();
    await wire.close();
  });
});

const plainAt = (port: number) => redisConfigOf(urlOf(port));
halfDeadSuite('Redis', redis.port, [commandsOf(plainAt), subscriberOf(plainAt)]);

const folder = await mkdtemp(join(tmpdir(), 'confab-redis-'));
afterAll(() => rm(folder, { recursive: true }));
const authority = createAuthority();
const encryptedAt = (port: number) =>
  addressOf({ REDIS_URL: `rediss://127.0.0.1:${port}`, REDIS_TLS_CA: authority.cert });
halfDeadSuite('Redis over TLS', await speakTls(redis, { authority, folder }), [
  commandsOf(encryptedAt),
  subscriberOf(encryptedAt),
]);
