import { describe, expect, test } from 'bun:test';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import type { SubscriberTimes } from '../../src/adapters/redis/subscriber.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { openTestRedis, openTestSubscriber, redisConfigOf } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { message, notificationsConformance } from './notifications.ts';

const servers = await realServers();
const codec = createNotificationCodec('a key of this test');

async function open(url: string, times?: SubscriberTimes, prefix = `test-${crypto.randomUUID()}`) {
  const commands = await openTestRedis(url);
  const parts = { commands, prefix, codec, ...(times ? { times } : {}) };
  const { client, subscriber, close } = await openTestSubscriber(redisConfigOf(url), parts);
  await subscriber.becomeReady(5_000);
  return {
    commands,
    client,
    prefix,
    notifier: createRedisNotifier(commands, prefix, codec, createMetrics()),
    subscriber,
    async close() {
      close();
      commands.disconnect();
    },
  };
}

notificationsConformance('redis', () => open(servers.redisUrl));

describe('notifications over a Redis that comes and goes', () => {
  test('subscriptions are restored, and acknowledged, before a reconnect is told', async () => {
    const redis = await servers.createRedis();
    const { notifier, subscriber, close } = await open(redis.url);
    const received: number[] = [];
    let reconnects = 0;
    const [before, while_] = [crypto.randomUUID(), crypto.randomUUID()];
    subscriber.onNotifications((batch) => {
      for (const { head } of batch) if (head.kind === 'change') received.push(head.eventSequence);
    });
    await subscriber.subscribe([`chat:${before}`]);
    subscriber.onReconnect(() => {
      reconnects += 1;
    });

    await redis.kill();
    await eventually('the loss is seen', () => !subscriber.ready());
    await expect(notifier.publish([message(before, 1)])).rejects.toThrow();
    const late = subscriber.subscribe([`chat:${while_}`]);
    await redis.restart();
    await late;
    await eventually('the reconnect is told', () => reconnects === 1);
    expect(subscriber.ready()).toBe(true);
    await eventually('the notifier is back', () =>
      notifier.publish([message(before, 2), message(while_, 3)]).then(
        () => true,
        () => false,
      ),
    );
    await eventually('both arrive', () => received.length >= 2);
    expect(received).toEqual([2, 3]);
    await close();
  });

  test('what is subscribed while subscriptions are being restored is heard, too', async () => {
    const redis = await servers.createRedis();
    const { client, notifier, subscriber, close } = await open(redis.url);
    const [first, ...later] = Array.from({ length: 4 }, () => crypto.randomUUID());
    const heard = new Set<string>();
    subscriber.onNotifications((batch) => {
      for (const { topic } of batch) heard.add(topic);
    });
    await subscriber.subscribe([`chat:${first}`]);
    await redis.kill();
    await eventually('the loss is seen', () => !subscriber.ready());

    // With every command that restores, one more topic is wanted.
    const waiting = [...later];
    const acknowledged: Promise<void>[] = [];
    const subscribe = client.subscribe.bind(client);
    client.subscribe = ((...channels: string[]) => {
      const next = waiting.pop();
      if (next) acknowledged.push(subscriber.subscribe([`chat:${next}`]));
      return subscribe(...channels);
    }) as typeof client.subscribe;
    await redis.restart();
    await eventually('all were asked for', () => acknowledged.length === later.length);
    await Promise.all(acknowledged);
    await eventually('the notifier is back', () =>
      notifier.publish(later.map((chatId) => message(chatId, 1))).then(
        () => true,
        () => false,
      ),
    );
    await eventually('all are heard', () => later.every((chatId) => heard.has(`chat:${chatId}`)));
    await close();
  });

  test('not there yet: who waits from the start has it once it comes', async () => {
    const redis = await servers.createRedis();
    const commands = await openTestRedis(redis.url);
    await redis.kill();
    const opened = await openTestSubscriber(redisConfigOf(redis.url), { commands, prefix: 'test', codec });
    const waiting = opened.subscriber.becomeReady(10_000);
    const subscribed = opened.subscriber.subscribe([`chat:${crypto.randomUUID()}`]);
    await expect(opened.subscriber.becomeReady(300)).rejects.toThrow('not ready within 300 ms');
    await redis.restart();
    await Promise.all([waiting, subscribed]);
    expect(opened.subscriber.ready()).toBe(true);
    opened.close();
    commands.disconnect();
  });

  test('a frozen Redis is given up within a second or so, and not for ever', async () => {
    const redis = await servers.createRedis();
    const { notifier, subscriber, close } = await open(redis.url, { heartbeatMs: 100, deafAfterMs: 500 });
    let reconnects = 0;
    subscriber.onReconnect(() => {
      reconnects += 1;
    });
    await redis.pause();
    const began = runningMs();
    await expect(notifier.publish([message(crypto.randomUUID(), 1)])).rejects.toThrow();
    await eventually('the deaf subscriber is found', () => !subscriber.ready(), 3_000);
    expect(runningMs() - began).toBeLessThan(5_000);
    await redis.resume();
    await eventually('it hears again', () => reconnects === 1 && subscriber.ready());
    await close();
  });

  test('a connection that is open and passes nothing on is found by its own heartbeat', async () => {
    const { commands, client, subscriber, prefix, close } = await open(servers.redisUrl, {
      heartbeatMs: 50,
      deafAfterMs: 300,
    });
    let reconnects = 0;
    subscriber.onReconnect(() => {
      reconnects += 1;
    });
    const [channel] = (await commands.pubsub('CHANNELS', `${prefix}:heartbeat:*`)) as string[];
    // The server forgets the subscription: publishing still works, nothing is heard.
    await client.unsubscribe(channel!);
    await eventually('it connects again', () => reconnects === 1);
    expect(await commands.pubsub('CHANNELS', `${prefix}:heartbeat:*`)).toEqual([channel]);
    await close();
  });

  test('what is not a notification, or of another version, is passed over', async () => {
    const { commands, notifier, subscriber, prefix, close } = await open(servers.redisUrl);
    const chat = crypto.randomUUID();
    const received: number[] = [];
    subscriber.onNotifications((batch) => {
      for (const { head } of batch) if (head.kind === 'change') received.push(head.eventSequence);
    });
    await subscriber.subscribe([`chat:${chat}`]);
    for (const wire of ['', '{', 'null\n', '{"version":1,"kind":"nothing"}\n{}']) {
      await commands.publish(`${prefix}:chat:${chat}`, wire);
    }
    await notifier.publish([message(chat, 7)]);
    await eventually('the real one arrives', () => received.length > 0);
    expect(received).toEqual([7]);
    await close();
  });
});
