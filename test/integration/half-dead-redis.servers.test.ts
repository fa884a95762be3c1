import { afterAll, describe, expect, test } from 'bun:test';
import { openRedis } from '../../src/adapters/redis/client.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier, createRedisSubscriber } from '../../src/adapters/redis/notifications.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { openPushLink } from '../../src/adapters/redis/push-link.ts';
import { watchRedis } from '../../src/adapters/redis/watch.ts';
import type { Topic } from '../../src/shared/ports/notifications.ts';
import { message } from '../conformance/notifications.ts';
import { eventually } from '../support/eventually.ts';
import { createWire, freeze, type HalfDeadClient, halfDeadSuite } from '../support/half-dead.ts';
import { openTestAdmission, openTestRedis, redisConfigOf, unheardOutages } from '../support/redis.ts';
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

/** What announces, and presence. */
const commands: HalfDeadClient = {
  name: 'commands',
  open(port) {
    const client = openRedis(redisConfigOf(urlOf(port)));
    client.on('error', () => {});
    const name = prefix();
    const [notifier, presence] = [
      createRedisNotifier(client, name, codec),
      createRedisPresence(client, name),
    ];
    return {
      async use() {
        await notifier.publish([message(crypto.randomUUID(), 1)]);
        await presence.update('ada', new Set(['s1']));
        if (!(await presence.online(['ada'])).has('ada')) throw new Error('not online');
      },
      fill: () => times(16, () => client.publish(name, megabyte)),
      close: () => client.disconnect(),
    };
  },
};

/** What every request asks. */
const admission: HalfDeadClient = {
  name: 'admission',
  open(port) {
    const client = openTestAdmission(urlOf(port));
    const name = prefix();
    const facts = createRedisFacts(client, name);
    return {
      async use() {
        const fact = `session:${crypto.randomUUID()}` as const;
        await facts.fill([fact]);
        if ((await facts.read([fact]))[0] !== true) throw new Error('not known');
      },
      fill: () => times(16, (at) => client.set(`${name}:${at}`, megabyte, 'PX', 100)),
      close: () => client.close(),
    };
  },
};

/** What a gateway hears by. */
const subscriber: HalfDeadClient = {
  name: 'subscriber',
  open(port) {
    const name = prefix();
    const link = openPushLink({ redis: redisConfigOf(urlOf(port)), outages: unheardOutages });
    const opened = createRedisSubscriber(link, name, codec);
    const notifier = createRedisNotifier(direct, name, codec);
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
      close() {
        opened.close();
        link.close();
      },
    };
  },
};

/** Each asks by itself now and then: the first to use a silent connection is not a user. */
describe('Redis frozen for good while nobody asks for anything, new connections work', () => {
  const clients: [string, (port: number) => { ready: Promise<unknown>; close(): void }][] = [
    [
      'commands',
      (port) => {
        const config = redisConfigOf(urlOf(port));
        const client = openRedis(config);
        const watch = watchRedis({ client, redis: config, prefix: prefix(), outages: unheardOutages });
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
      'admission',
      (port) => {
        const client = openTestAdmission(urlOf(port));
        return { ready: client.ready(5_000), close: client.close };
      },
    ],
    [
      'subscriber',
      (port) => {
        const link = openPushLink({ redis: redisConfigOf(urlOf(port)), outages: unheardOutages });
        const opened = createRedisSubscriber(link, prefix(), codec);
        return {
          ready: eventually('it is up', opened.ready),
          close() {
            opened.close();
            link.close();
          },
        };
      },
    ],
  ];
  test.concurrent.each(clients)('%s connects again within 10 s', async (_, open) => {
    const wire = createWire(redis.port);
    const { ready, close } = open(wire.port);
    await ready;
    freeze(wire);
    wire.leaveBehind();
    const began = performance.now();
    await eventually('it connects again', () => wire.connections() === 1, 15_000);
    expect(performance.now() - began).toBeLessThan(10_000);
    close();
    await wire.close();
  });
});

halfDeadSuite('Redis', redis.port, [commands, admission, subscriber]);
