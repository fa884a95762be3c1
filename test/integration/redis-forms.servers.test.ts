import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administer, startCluster, startSentinels } from '../../harness/redis-forms.ts';
import { redisMark } from '../../src/adapters/fingerprints.ts';
import { createBreaker } from '../../src/adapters/redis/breaker.ts';
import { openRedis } from '../../src/adapters/redis/client.ts';
import { createRedisFacts } from '../../src/adapters/redis/facts.ts';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createRedisNotifier } from '../../src/adapters/redis/notifier.ts';
import { createRedisPresence } from '../../src/adapters/redis/presence.ts';
import { createRedisRateLimits } from '../../src/adapters/redis/rate-limits.ts';
import { createAdmissionRedis } from '../../src/adapters/redis/redis-turn.ts';
import { watchRedis } from '../../src/adapters/redis/watch.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { RedisAddress } from '../../src/shared/config/redis-address.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { generous } from '../conformance/admission.ts';
import { message } from '../conformance/notifications.ts';
import { createAuthority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, startTestGateway } from '../support/gateway-world.ts';
import { openTestSubscriber, unheardOutages } from '../support/redis.ts';
import { addressOf, speakTls } from '../support/redis-forms.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const codec = createNotificationCodec('a key of this test');
const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
await migrate(database);
const folder = await mkdtemp(join(tmpdir(), 'confab-redis-'));
const undo: (() => unknown)[] = [() => database.close(), () => rm(folder, { recursive: true })];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** All that a process has of Redis. */
async function open(redis: RedisAddress) {
  const prefix = `test-${crypto.randomUUID()}`;
  const client = await openRedis(redis);
  const watch = watchRedis({ client, redis, prefix, outages: unheardOutages });
  undo.push(() => {
    watch.close();
    client.disconnect();
  });
  await watch.start();
  const { subscriber, close } = await openTestSubscriber(redis, { commands: client, prefix, codec });
  undo.push(close);
  // The machine may be busy.
  const admission = createAdmissionRedis(client, createMetrics(), createBreaker(2_000));
  return {
    ...{ watch, client, prefix, subscriber },
    facts: createRedisFacts(admission, prefix),
    notifier: createRedisNotifier(client, prefix, codec, createMetrics()),
    presence: createRedisPresence(client, prefix),
    limits: createRedisRateLimits(admission, prefix, { ...generous, user: 2 }, 'a secret'),
  };
}
type Opened = Awaited<ReturnType<typeof open>>;

const ids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());

/** Does all that is ever done, over many slots. */
async function useAll({ client, watch, prefix, facts, limits, notifier, presence, subscriber }: Opened) {
  await eventually('it is up', () => watch.isUp());
  expect(await redisMark(client, prefix)).toMatch(/./);
  await subscriber.becomeReady(5_000);

  const known = ids(20).map((id) => `session:${id}` as const);
  await facts.fill(known);
  expect(await facts.read(known)).toEqual(known.map(() => true));
  await facts.revoke(known.slice(0, 5));
  await facts.restore(known.slice(5, 10));
  const expected = known.map((_, at) => (at < 5 ? false : at < 10 ? undefined : true));
  expect(await facts.read(known)).toEqual(expected);

  const takes = ids(10).map((key) => ({ limit: 'user', key }) as const);
  for (let at = 0; at < 2; at += 1) await limits.consume(takes);
  for (const take of takes) await expect(limits.consume([take])).rejects.toThrow('Too many requests');
  const [ada = '', bob = ''] = ids(2);
  await limits.giveBack([{ limit: 'login', key: ada }]);
  expect(await limits.count({ limit: 'login', key: ada, points: 3 })).toBe(3);

  await presence.heartbeat(new Map([[ada, new Set(['s1'])]]));
  await presence.update(bob, new Set(['s2']));
  await eventually('both are online', async () => (await presence.online([ada, bob])).size === 2);
  await presence.leave();
  expect(await presence.online([ada, bob])).toEqual(new Set());

  const heard = new Set<string>();
  subscriber.onNotifications((batch) => {
    for (const { topic } of batch) heard.add(topic);
  });
  const news = ids(50).map((id) => message(id, 1));
  await subscriber.subscribe(news.map(({ topic }) => topic));
  await notifier.publish(news);
  await eventually('all are heard', () => heard.size === news.length);
  await subscriber.unsubscribe(news.map(({ topic }) => topic));
}

/** Sends all the time while something happens to Redis. */
async function underLoad(opened: Opened) {
  const { facts, notifier, presence, subscriber } = opened;
  const world = await createWorld({ database, facts, notifier });
  const running = await startTestGateway({ database, facts, subscriber, presence });
  undo.push(running.stop);
  const [ada, bob] = await world.newUsers(2);
  const chat = await world.newGroup(ada!, bob!);
  const bobs = await connectClient(running.url, bob!);
  const sent: string[] = [];
  let goesOn = true;
  const sending = (async () => {
    while (goesOn) {
      const content = String(sent.length);
      // Stored all the same.
      await world.send(ada!, chat.id, content).catch(() => {});
      sent.push(content);
      await Bun.sleep(10);
    }
  })();
  await eventually('it flows', () => bobs.seen.length > 10);

  return {
    /** Resolves once hints come again, and Redis does all that it should. @returns how long that took, in ms */
    async recovered(): Promise<number> {
      const began = runningMs();
      await eventually('the loss is seen', () => !opened.watch.isUp());
      await eventually('it is up', () => opened.watch.isUp() && subscriber.ready(), 20_000);
      const next = sent.length + 1;
      await eventually('what is sent now arrives', () => bobs.contents().includes(String(next)), 10_000);
      return runningMs() - began;
    },
    async allArrives(): Promise<void> {
      goesOn = false;
      await sending;
      await world.send(ada!, chat.id, 'last');
      await eventually('the last arrives', () => bobs.contents().includes('last'));
      expect(bobs.contents()).toEqual([...sent, 'last']);
      expect(bobs.disconnects).toEqual([]);
      bobs.close();
    },
    arrived: () => bobs.seen.length,
    sent: () => sent.length,
  };
}

describe('a server', () => {
  test.concurrent('with a user of its own, a password that no URL could hold, and another database', async () => {
    const server = await servers.createRedis();
    const password = 'p@ss/w:rd#? %41';
    await administer(server, ['ACL', 'SETUSER', 'confab', 'on', `>${password}`, '~*', '&*', '+@all']);
    await administer(server, ['ACL', 'SETUSER', 'default', 'off']);
    const given = { REDIS_USERNAME: 'confab', REDIS_PASSWORD: password, REDIS_DB: '3' };
    await useAll(
      await open(addressOf({ REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port), ...given })),
    );
    const url = `redis://confab:${encodeURIComponent(password)}@127.0.0.1:${server.port}/3`;
    const opened = await open(addressOf({ REDIS_URL: url, REDIS_HOST: 'nowhere', REDIS_PASSWORD: 'wrong' }));
    await useAll(opened);
    expect(await opened.client.client('INFO')).toContain('user=confab');
    expect(await opened.client.client('INFO')).toContain('db=3');
    // Somebody has them forgotten, or a server without them has taken over.
    await opened.client.script('FLUSH');
    await useAll(opened);
  });

  test.concurrent('with TLS, an authority of its own and certificates of clients, renewed while it runs', async () => {
    const server = await servers.createRedis();
    let authority = createAuthority();
    const port = await speakTls(server, { authority, folder, asks: true });
    const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => join(folder, name));
    const writeClient = async () => {
      const client = authority.issue('confab');
      for (const [path, pem] of [
        [ca, authority.cert],
        [cert, client.cert],
        [key, client.key],
      ] as const) {
        await writeFile(path!, pem);
      }
    };
    await writeClient();
    const files = { REDIS_TLS_CA: ca!, REDIS_TLS_CERT: cert!, REDIS_TLS_KEY: key! };
    const opened = await open(addressOf({ REDIS_URL: `rediss://localhost:${port}`, ...files }));
    await useAll(opened);
    await useAll(await open(addressOf({ REDIS_HOST: 'localhost', REDIS_PORT: String(port), ...files })));

    authority = createAuthority('Another authority');
    await writeClient();
    await speakTls(server, { authority, folder, asks: true, port });
    await administer(server, ['CLIENT', 'KILL', 'TYPE', 'normal'], ['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await eventually('it is gone', () => !opened.watch.isUp() && !opened.subscriber.ready());
    await eventually('it is back', () => opened.watch.isUp() && opened.subscriber.ready());
    await useAll(opened);
  });
});

test.concurrent('Sentinels: after a failover under load hints come within 10 s, and nothing is lost', async () => {
  const { master, environment } = await startSentinels(servers.createRedis);
  const opened = await open(addressOf(environment));
  await useAll(opened);
  const load = await underLoad(opened);
  await master.kill();
  expect(await load.recovered()).toBeLessThan(10_000);
  await load.allArrives();
  await useAll(opened);
}, 60_000);

test.concurrent('Sentinels: a frozen server is left for another within 10 s', async () => {
  const { master, environment } = await startSentinels(servers.createRedis);
  const opened = await open(addressOf(environment));
  await useAll(opened);
  const load = await underLoad(opened);
  await master.pause();
  expect(await load.recovered()).toBeLessThan(10_000);
  await load.allArrives();
  await useAll(opened);
  await master.resume();
}, 60_000);

test.concurrent.each(['is killed', 'freezes'])(
  'a cluster: a master %s under load, its replica takes over',
  async (fault) => {
    const { nodes, environment } = await startCluster(servers.createRedis, { replicas: 1 });
    const opened = await open(addressOf(environment));
    await useAll(opened);
    const load = await underLoad(opened);
    // With where the subscriber stands: a replica, perhaps, of another master.
    const listening = await listeningAt(nodes);
    const at = nodes.indexOf(listening);
    const lost = at < 3 ? [listening] : [listening, nodes[(at + 1) % 3]!];
    for (const node of lost) await (fault === 'freezes' ? node.pause() : node.kill());
    expect(await load.recovered()).toBeLessThan(10_000);
    await load.allArrives();
    await useAll(opened);
  },
  60_000,
);

test.concurrent('a cluster: without a node that nobody replaces the others are used; it comes back', async () => {
  const { nodes, environment } = await startCluster(servers.createRedis);
  const opened = await open(addressOf(environment));
  await useAll(opened);
  for (const node of nodes) await administer(node, ['SCRIPT', 'FLUSH']);
  await useAll(opened);
  const load = await underLoad(opened);
  const lost = await listeningAt(nodes);
  await lost.kill();
  await eventually('it is said', () => !opened.watch.isUp());
  const before = load.sent();
  await eventually('what is sent without it arrives', () => load.arrived() > before + 50);
  await eventually('facts of the other nodes are kept', async () => {
    const facts = ids(30).map((id) => `session:${id}` as const);
    await opened.facts.fill(facts);
    const known = (await opened.facts.read(facts)).filter((answer) => answer === true).length;
    return known > 5 && known < 30;
  });
  await lost.restart();
  await eventually('it is whole', () => opened.watch.isUp() && opened.subscriber.ready());
  await load.allArrives();
  await useAll(opened);
}, 60_000);

/** The node of a cluster at which the subscriber stands. */
async function listeningAt(nodes: readonly Server[]): Promise<Server> {
  for (const node of nodes) {
    const [clients] = await administer(node, ['CLIENT', 'LIST']);
    if (String(clients).includes('name=confab-subscriber')) return node;
  }
  throw new Error('it stands nowhere');
}
