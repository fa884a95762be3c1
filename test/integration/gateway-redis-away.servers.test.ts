import { afterAll, describe, expect, test } from 'bun:test';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { notificationKey } from '../../src/db/settings.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, startTestGateway } from '../support/gateway-world.ts';
import { openTestRedis, openTestSubscriber, redisConfigOf } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const codec = createNotificationCodec('a key of this test');
const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
await migrate(database);
afterAll(() => database.close());

/** A gateway on a Redis of its own. */
async function open() {
  const redis = await servers.createRedis();
  const commands = await openTestRedis(redis.url);
  const times = { heartbeatMs: 100, deafAfterMs: 1_000 };
  const opened = await openTestSubscriber(redisConfigOf(redis.url), {
    commands,
    prefix: 'test',
    codec,
    times,
  });
  const { subscriber } = opened;
  await subscriber.becomeReady(5_000);
  const parts = {
    database,
    facts: createRedisFacts(createAdmissionRedis(commands, createMetrics()), 'test'),
  };
  const presence = createRedisPresence(commands, 'test');
  const world = await createWorld({
    ...parts,
    notifier: createRedisNotifier(commands, 'test', codec, createMetrics()),
  });
  const running = await startTestGateway({ ...parts, subscriber, presence });
  return {
    redis,
    world,
    subscriber,
    presence,
    url: running.url,
    async close() {
      await running.stop();
      opened.close();
      commands.disconnect();
    },
  };
}

describe('gateway: Redis comes and goes', () => {
  test('what was missed while Redis was down arrives when it is back, in order and once', async () => {
    const { redis, world, subscriber, url, close } = await open();
    const [ada, bob, eve] = await world.newUsers(3);
    const chat = await world.newGroup(ada!, bob!);
    const [bobs, eves] = [await connectClient(url, bob!), await connectClient(url, eve!)];
    await world.send(ada!, chat.id, 'before');
    await eventually('it flows', () => bobs.seen.length === 1);

    await redis.kill();
    await eventually('the loss is seen', () => !subscriber.ready());
    for (let at = 0; at < 50; at += 1) await world.send(ada!, chat.id, `${at}`, { silent: true });
    await world.addSilently(ada!, chat.id, eve!);
    // Sockets are let in without Redis.
    const late = await connectClient(url, bob!);
    expect(late.seen).toEqual([]);

    await redis.restart();
    await eventually('the missed arrive', () => bobs.seen.length >= 52 && eves.seen.length >= 1);
    await eventually('it flows again', async () => {
      await world.send(ada!, chat.id, 'after').catch(() => {});
      return bobs.contents().includes('after');
    });
    const expected = ['before', ...Array.from({ length: 50 }, (_, at) => `${at}`)];
    expect(bobs.contents().slice(0, 51)).toEqual(expected);
    expect(bobs.seen[51]?.event).toBe('chat.participant.added');
    expect(eves.seen[0]?.event).toBe('chat.created');
    await eventually('the late one is told too', () => late.contents().includes('after'));
    for (const one of [bobs, eves, late]) {
      expect(one.disconnects).toEqual([]);
      const numbers = one.seen.flatMap(({ payload }) => payload.eventSequence ?? []);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      one.close();
    }
    await close();
  }, 30_000);

  test('a frozen Redis holds up no connect for long, and nothing is lost over it', async () => {
    const { redis, world, url, close } = await open();
    const [ada, bob] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, bob!);
    await redis.pause();
    const began = runningMs();
    const client = await connectClient(url, bob!);
    expect(runningMs() - began).toBeLessThan(6_000);
    await world.send(ada!, chat.id, 'while frozen', { silent: true });
    await redis.resume();
    await eventually('it arrives', () => client.contents().includes('while frozen'));
    client.close();
    await close();
  }, 30_000);

  test('presence is whole again soon after Redis lost it', async () => {
    const { redis, world, presence, url, close } = await open();
    const [ada] = await world.newUsers(1);
    const client = await connectClient(url, ada!);
    await redis.kill();
    await redis.restart();
    await eventually('online again', async () => (await presence.online([ada!.id])).has(ada!.id), 15_000);
    client.close();
    await close();
  }, 30_000);

  test('of a forged notification no more is believed than that there may be something to read', async () => {
    const { redis, world, url, close } = await open();
    const forger = await openTestRedis(redis.url);
    const [ada, bob] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, bob!);
    const client = await connectClient(url, bob!);
    const { eventSequence, notification } = await world.send(ada!, chat.id, 'real');
    await eventually('it flows', () => client.seen.length === 1);

    const forge = (number: number) => ({
      topic: notification.topic,
      head: { ...notification.head, eventSequence: number } as never,
      body: notification.body.replace('real', 'forged'),
    });
    const unsigned = ({ head, body }: ReturnType<typeof forge>) => `${JSON.stringify(head)}\n${body}`;
    const otherKey = createNotificationCodec('not the key');
    const wires = [
      unsigned(forge(eventSequence + 1)),
      otherKey.encode(forge(eventSequence + 1)),
      // Signed by us, but for another body, and for another chat.
      codec.encode(notification).replace('real', 'forged'),
      codec.encode({ ...forge(eventSequence + 1), topic: 'chat:elsewhere' }),
    ];
    for (const wire of wires) await forger.publish(`test:${notification.topic}`, wire);
    // Heard once, and heard again.
    await forger.publish(`test:${notification.topic}`, codec.encode(notification));
    const { eventSequence: next } = await world.send(ada!, chat.id, 'unannounced', { silent: true });
    await forger.publish(`test:${notification.topic}`, unsigned(forge(next)));
    await eventually('what is stored is told', () => client.seen.length > 1);
    await world.send(ada!, chat.id, 'last');
    await eventually('it goes on', () => client.contents().includes('last'));
    expect(client.contents()).toEqual(['real', 'unannounced', 'last']);
    expect(client.disconnects).toEqual([]);
    client.close();
    forger.disconnect();
    await close();
  }, 30_000);
});

test('processes that start together sign with the same key', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => notificationKey(database)));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[\w-]{43}$/);
});
