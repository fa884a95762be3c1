import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { countUnread } from '../../client/src/state/unread.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { mostUnread } from '../../src/db/queries/membership-columns.ts';
import type { Chat, Membership, MessagePage } from '../../src/shared/contract.ts';
import { createChanging } from '../../torture/changing.ts';
import { createClient } from '../../torture/client.ts';
import type { ClientRecord } from '../../torture/history.ts';
import { createMarking } from '../../torture/marking.ts';
import { createRandom } from '../../torture/random.ts';
import { createRecorder } from '../../torture/recorder.ts';
import { createRest } from '../../torture/rest.ts';
import { createLink, createTcpProxy, type Link } from '../../torture/tcp-proxy.ts';
import { type Member, startThreeProcesses, untilReady } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { searchServers } from '../support/places-of.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();

/** A way to a server of the test on which the network fails. */
function linkTo(url: string): { link: Link; port: string } {
  const link = createLink(Number(new URL(url).port));
  const proxy = createTcpProxy(() => [link]);
  afterAll(() => proxy.close());
  return { link, port: String(proxy.port) };
}
function through(url: string, port: string): string {
  const moved = new URL(url);
  moved.host = `127.0.0.1:${port}`;
  return moved.href;
}

const toBroker = linkTo(servers.rabbitmqUrl);
const toRedis = linkTo(servers.redisUrl);
const deployment = await startThreeProcesses({
  ...{ processes, servers, counts: { api: 0, worker: 0 } },
  env: { RATE_LIMIT_ENABLED: 'false' },
});
const toPostgres = linkTo(deployment.databaseUrl);
const api = await deployment.start('api', { RABBITMQ_URI: through(servers.rabbitmqUrl, toBroker.port) });
const gateway = deployment.gateways[0] as Member;
const throughProxies = {
  DATABASE_URL: through(deployment.databaseUrl, toPostgres.port),
  REDIS_HOST: '127.0.0.1',
  REDIS_PORT: toRedis.port,
};
let worker = await deployment.start('worker', throughProxies);
const world = { apiUrl: api.url, socketUrl: deployment.socketUrl };
const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'confab-test' });
afterAll(() => database.close());

const rows = async (chatId: string): Promise<number> => {
  const [row] = await database.query<{ rows: number }>(
    'SELECT count(*)::int AS rows FROM messages WHERE chat_id = $1::uuid',
    [chatId],
  );
  return row?.rows ?? 0;
};

/** Another takes its place at once, and not when it has missed three beats. */
async function killWorker(): Promise<void> {
  await worker.process.kill();
  await database.query(`DELETE FROM processes WHERE 'worker' = ANY (roles)`, []);
}

async function twoPeople() {
  const [ada, bob] = await Promise.all([newPerson(world), newPerson(world)]);
  const chat = await ada.newChat(bob);
  const ears = await bob.connect();
  await ada.send(chat.id, 'before');
  await ears.heard('before');
  return { ada, bob, chat, ears, said: () => ears.news.map(({ message }) => message.content) };
}

test('a confirm that is lost on its way back: 503 within 5 s; the message is there all the same, and a repeat adds none', async () => {
  const { ada, chat, ears, said } = await twoPeople();
  const body = { content: 'unconfirmed', clientMessageId: crypto.randomUUID() };
  toBroker.link.flow({ toClient: { kind: 'drop' } });
  const began = runningMs();
  const first = await ada.call('POST', `/chats/${chat.id}/messages`, body);
  expect(runningMs() - began).toBeLessThan(5_000);
  expect([first.status, first.body.code]).toEqual([503, 'broker_unavailable']);
  expect(first.headers.get('retry-after')).toMatch(/^\d+$/);
  await ears.heard('unconfirmed');

  toBroker.link.flow({ toClient: { kind: 'pass' } });
  toBroker.link.cut();
  await eventually(
    'a repeat is accepted',
    async () => (await ada.call('POST', `/chats/${chat.id}/messages`, body)).status === 202,
    20_000,
  );
  await ada.send(chat.id, 'after');
  await ears.heard('after');
  expect(said()).toEqual(['before', 'unconfirmed', 'after']);
  expect(await rows(chat.id)).toBe(3);
  ears.close();
}, 60_000);

/** What is sent is committed, and the worker does not hear of it. */
async function commitUnseen<Sent>(chatId: string, send: () => Promise<Sent>): Promise<Sent> {
  const sent = await database.orm.transaction(async (tx) => {
    await tx.execute(sql`SELECT FROM chats WHERE id = ${chatId} FOR UPDATE`);
    const answer = await send();
    await eventually('the worker waits for the chat', async () => {
      const waiting = await database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        [],
      );
      return waiting.length > 0;
    });
    toPostgres.link.flow({ toClient: { kind: 'drop' } });
    return answer;
  });
  await eventually('it is committed', async () => (await rows(chatId)) === 2);
  return sent;
}

test('the answer to a commit is lost: the worker stores it again, which adds nothing, and announces it', async () => {
  const { ada, chat, ears, said } = await twoPeople();
  await commitUnseen(chat.id, () => ada.send(chat.id, 'committed unseen'));
  expect(said()).toEqual(['before']);
  toPostgres.link.flow({ toClient: { kind: 'pass' } });
  toPostgres.link.cut();
  await eventually('it is announced', () => said().includes('committed unseen'), 20_000);
  await ada.send(chat.id, 'after');
  await ears.heard('after');
  expect(said()).toEqual(['before', 'committed unseen', 'after']);
  expect(await rows(chat.id)).toBe(3);
  expect(worker.process.running()).toBe(true);
  ears.close();
}, 60_000);

test('Redis goes between the commit and its announcement: stored, out of the queue, and told when Redis is back', async () => {
  const { ada, chat, ears, said } = await twoPeople();
  toRedis.link.refuse(true);
  toRedis.link.cut();
  for (const content of ['one', 'two', 'three']) await ada.send(chat.id, content);
  await eventually('all are stored', async () => (await rows(chat.id)) === 4);
  toRedis.link.refuse(false);
  await eventually('all are told', () => said().length >= 4, 20_000);
  expect(said()).toEqual(['before', 'one', 'two', 'three']);
  ears.close();
}, 60_000);

test('a worker is killed between its commit and its announcement: what is deleted by then is told by nobody any more', async () => {
  const { ada, bob, chat, ears } = await twoPeople();
  const announced: string[] = [];
  const redis = await openTestRedis(servers.redisUrl);
  afterAll(() => redis.disconnect());
  await redis.psubscribe(`${deployment.env.CHAT_NOTIFICATION_CHANNEL}:*`);
  redis.on('pmessage', (_pattern, _channel, text) => announced.push(text));

  const { brokerMessageId } = await commitUnseen(chat.id, () => ada.send(chat.id, 'words to be gone'));
  await killWorker();
  toPostgres.link.flow({ toClient: { kind: 'pass' } });
  expect((await ada.call('DELETE', `/chats/${chat.id}/messages/${brokerMessageId}`)).status).toBe(204);

  worker = await deployment.start('worker', { ...throughProxies, LOG_LEVEL: 'debug' });
  await untilSays(worker.process, 'outcome=changed');
  const answer = { content: 'after', replyTo: brokerMessageId };
  await eventually(
    'the api knows that the new worker can store answers',
    async () => (await ada.call('POST', `/chats/${chat.id}/messages`, answer)).status === 202,
  );
  await ears.heard('after');
  expect(ears.events.slice(-3).map(([name, { message }]) => [name, message.content])).toEqual([
    ['chat.message.new', ''],
    ['chat.message.deleted', ''],
    ['chat.message.new', 'after'],
  ]);
  const again = await bob.connect({ cursors: { [chat.id]: chat.eventSequence } });
  await again.heard('after');
  const shown = await Promise.all([
    ada.call('GET', `/chats/${chat.id}/changes?after=0`),
    ada.call('GET', '/chats'),
    ada.history(chat.id),
  ]);
  const everywhere = JSON.stringify([announced, ears.events, again.events, shown]);
  expect(everywhere).toContain('chat.message.deleted');
  expect(everywhere).not.toContain('words to be gone');
  expect(await searchServers(servers, deployment)('words to be gone')).toEqual([]);
  again.close();
  ears.close();
}, 60_000);

test('three devices of one user in five chats count what the server does and scrolling finds, whatever was said, changed and marked, and whoever was killed', async () => {
  const [ada, bob, eve] = await Promise.all([newPerson(world), newPerson(world), newPerson(world)]);
  const tokens = new Map([ada, bob, eve].map(({ id, token }) => [id, token]));
  const token = async (userId: string) => tokens.get(userId) ?? '';
  const chats = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const created = await ada.newChat(bob, eve);
      const members = new Set([ada.id, bob.id, eve.id]);
      return { id: created.id, isGroup: true, ownerId: ada.id, members, floating: [], ended: false, created };
    }),
  );
  const rest = createRest(world.apiUrl);
  const recorder = createRecorder();
  const devices = ['phone', 'tablet', 'desk'].map((name) =>
    createClient({
      ...{ name, userId: eve.id, url: world.socketUrl, rest, recorder, chats: [] },
      token: () => token(eve.id),
      restToken: () => token(eve.id),
      reconnectionDelayMaxMs: 200,
    }),
  );
  afterAll(() => Promise.all(devices.map((device) => device.close())));
  const random = createRandom(Date.now());
  const population = { users: [], chats, token, credential: token, forgedToken: token };
  const changing = createChanging({ random, population, rest, recorder, changesASecond: 20 });
  const marking = createMarking({ random, clients: devices, marksASecond: 20 });
  for (const device of devices) device.connect();
  await eventually('all are ready', () => devices.every((device) => device.ready()));
  changing.start();
  marking.start();

  let said = 0;
  const say = async (until: number) => {
    while (said < until) {
      said += 1;
      await (said % 3 === 0 ? bob : ada).send(chats[said % 5]!.id, `message ${said}`);
    }
  };
  const sayAll = (until: number) => Promise.all(Array.from({ length: 8 }, () => say(until)));
  await sayAll(300);
  const saying = sayAll(900);
  await Promise.all([gateway.process.kill(), killWorker()]);
  const process = processes.run(['src/gateway.ts'], gateway.env);
  [worker] = await Promise.all([
    deployment.start('worker', throughProxies),
    untilReady({ ...gateway, process }),
  ]);
  await saying;
  await eventually('all are back', () => devices.every((device) => device.ready()));
  await sayAll(1_000);
  const done = (status: number) => recorder.changes.filter((change) => change.status === status).length;
  const told = (kind: ClientRecord['kind']) =>
    recorder.clients.map(({ records }) => records.filter((record) => record.kind === kind).length);
  await eventually(
    'there was something of everything',
    () => done(200) >= 10 && done(204) >= 10 && told('membership').every((count) => count >= 20),
  );
  await Promise.all([changing.stop(), marking.stop()]);
  // So that in each chat some are unread, and of those some deleted: known to the base of a device, and told after it.
  await Promise.all(
    chats.map(async ({ id }, at) => {
      const last = (await ada.history(id)).at(-1)!.sequence;
      await devices[at % 3]!.markUnread(id, last - 30 - at);
      await bob.send(id, 'one more');
      await eventually('it is stored', async () => (await ada.history(id)).at(-1)!.sequence > last);
      const messages = await ada.history(id);
      for (const message of messages.slice(-10).filter((_, place) => place % 3 === 0)) {
        await ada.call('DELETE', `/chats/${id}/messages/${message.id}`);
      }
    }),
  );
  said += chats.length;

  const ofEve = async (chatId: string) => {
    const { body: chat }: { body: Chat } = await eve.call('GET', `/chats/${chatId}`);
    return chat;
  };
  await eventually(
    'all of it is everywhere',
    async () => {
      const now = await Promise.all(chats.map(({ id }) => ofEve(id)));
      const stored = now.reduce((sum, { lastSequence }) => sum + lastSequence, 0);
      return devices.every(
        (device) =>
          stored === said &&
          !device.reading() &&
          now.every(
            ({ id, eventSequence, membership: { version } }) =>
              device.cursors().get(id) === eventSequence && device.unread(id).membership.version === version,
          ),
      );
    },
    20_000,
  );
  const scrolled = async ({ chatId, lastReadSequence }: Membership) => {
    let found = 0;
    for (let after: number | undefined = lastReadSequence; after !== undefined; ) {
      const path = `/chats/${chatId}/messages?limit=100&after=${after}`;
      const { body }: { body: MessagePage } = await eve.call('GET', path);
      found += body.data.filter(({ senderId, deletedAt }) => senderId !== eve.id && !deletedAt).length;
      after = body.page.hasAfter ? body.data.at(-1)?.sequence : undefined;
    }
    return Math.min(found, mostUnread);
  };
  for (const { id } of chats) {
    const { membership } = await ofEve(id);
    const { unreadCount, unreadMentionCount } = membership;
    expect(await scrolled(membership)).toBe(unreadCount);
    expect(devices.map((device) => countUnread(device.unread(id), eve.id))).toEqual(
      devices.map(() => ({ unreadCount, unreadMentionCount, stale: false })),
    );
  }
  expect(told('connected').every((count) => count > 1)).toBe(true);
}, 60_000);
