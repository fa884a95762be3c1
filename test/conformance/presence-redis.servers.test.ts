import { describe, expect, test } from 'bun:test';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { eventually } from '../support/eventually.ts';
import { openTestRedis } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { presenceConformance } from './presence.ts';

const servers = await realServers();

async function open(options?: { ttlMs: number }, prefix = `test-${crypto.randomUUID()}`) {
  const client = await openTestRedis(servers.redisUrl);
  return {
    client,
    prefix,
    presence: createRedisPresence(client, prefix, options),
    close: async () => client.disconnect(),
  };
}

presenceConformance('redis', () => open());

describe('presence of several gateways in Redis', () => {
  test('a user is online while any gateway has a socket of theirs', async () => {
    const first = await open();
    const second = await open(undefined, first.prefix);
    const api = await open(undefined, first.prefix);
    await first.presence.update('ada', new Set(['s1']));
    expect(await api.presence.online(['ada', 'bob'])).toEqual(new Set(['ada']));
    await second.presence.update('ada', new Set(['s2']));
    await second.presence.update('bob', new Set(['s3']));
    expect(await api.presence.online(['ada', 'bob'])).toEqual(new Set(['ada', 'bob']));
    await first.presence.leave();
    expect(await api.presence.online(['ada', 'bob'])).toEqual(new Set(['ada', 'bob']));
    await second.presence.update('ada', new Set());
    expect(await api.presence.online(['ada', 'bob'])).toEqual(new Set(['bob']));
    expect(await api.presence.offline(['ada', 'bob'])).toEqual(['ada']);
    for (const each of [first, second, api]) await each.close();
  });

  test('a gateway knows which sockets the others have of a user, and not its own', async () => {
    const first = await open();
    await first.presence.update('ada', new Set(['s1', 's2']));
    const second = await open(undefined, first.prefix);
    expect(await second.presence.elsewhere(['ada', 'bob'])).toEqual([['s1', 's2'], []]);
    await second.presence.update('ada', new Set(['s3']));
    await first.presence.update('bob', new Set(['s4']));
    expect(await second.presence.elsewhere(['bob', 'ada'])).toEqual([['s4'], ['s1', 's2']]);
    await first.presence.update('ada', new Set());
    expect(await second.presence.elsewhere(['ada'])).toEqual([[]]);
    // The first one was alone when it looked.
    await eventually(
      'it knows the other',
      async () => (await first.presence.elsewhere(['ada']))[0]?.length === 1,
    );
    expect(first.presence.isAlone()).toBe(false);
    for (const each of [first, second]) await each.close();
  });

  test('a gateway that dies is forgotten by itself', async () => {
    const dying = await open({ ttlMs: 300 });
    const api = await open(undefined, dying.prefix);
    await dying.presence.heartbeat(new Map([['ada', new Set(['s1'])]]));
    expect(await api.presence.online(['ada'])).toEqual(new Set(['ada']));
    await dying.close();
    await eventually('it is forgotten', async () => (await api.presence.online(['ada'])).size === 0, 2_000);
    await api.close();
  });

  test('every key has an end', async () => {
    const gateway = await open();
    await gateway.presence.update('ada', new Set(['s1']));
    const keys = await gateway.client.keys(`${gateway.prefix}:presence:sockets:*`);
    expect(keys).toHaveLength(1);
    expect(await gateway.client.pttl(keys[0] ?? '')).toBeLessThanOrEqual(30_000);
    expect(await gateway.client.pttl(keys[0] ?? '')).toBeGreaterThan(0);
    await gateway.close();
  });

  test('with Redis away nobody is known to be online, and writing says so', async () => {
    const redis = await servers.createRedis();
    const client = await openTestRedis(redis.url);
    const presence = createRedisPresence(client, 'test');
    await presence.update('ada', new Set(['s1']));
    await redis.kill();
    await eventually('the loss is seen', () => client.status !== 'ready');
    expect(await presence.online(['ada'])).toEqual(new Set());
    expect(await presence.offline(['ada'])).toBeUndefined();
    expect(await presence.elsewhere(['ada', 'bob'])).toEqual([[], []]);
    await expect(presence.update('ada', new Set(['s1']))).rejects.toThrow();
    await expect(presence.heartbeat(new Map())).rejects.toThrow();
    client.disconnect();
  });

  test('a frozen Redis is waited for by one question, not by those behind it, and asked again when it goes on', async () => {
    const redis = await servers.createRedis();
    const client = await openTestRedis(redis.url);
    const presence = createRedisPresence(client, 'test');
    await presence.update('ada', new Set(['s1']));
    await redis.pause();
    const began = runningMs();
    for (let at = 0; at < 100; at += 1) expect(await presence.online(['ada'])).toEqual(new Set());
    // Each by itself would wait for 250 ms.
    expect(runningMs() - began).toBeLessThan(5_000);
    expect(await presence.offline(['ada'])).toBeUndefined();
    await redis.resume();
    await eventually('it is asked again', async () => (await presence.online(['ada'])).has('ada'), 3_000);
    client.disconnect();
  });
});
