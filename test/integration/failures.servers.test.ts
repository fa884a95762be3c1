import { afterAll, expect, test } from 'bun:test';
import { openPostgres } from '../../src/db/postgres.ts';
import { createLink, createTcpProxy, type Link } from '../../torture/tcp-proxy.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
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
const deployment = await startThreeProcesses({ processes, servers, counts: { api: 0, worker: 0 } });
const toPostgres = linkTo(deployment.databaseUrl);
const api = await deployment.start('api', { RABBITMQ_URI: through(servers.rabbitmqUrl, toBroker.port) });
const worker = await deployment.start('worker', {
  DATABASE_URL: through(deployment.databaseUrl, toPostgres.port),
  REDIS_HOST: '127.0.0.1',
  REDIS_PORT: toRedis.port,
});
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

async function twoPeople() {
  const [ada, bob] = await Promise.all([newPerson(world), newPerson(world)]);
  const chat = await ada.newChat(bob);
  const ears = await bob.connect();
  await ada.send(chat.id, 'before');
  await ears.heard('before');
  return { ada, chat, ears, said: () => ears.news.map(({ message }) => message.content) };
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

test('the answer to a commit is lost: the worker stores it again, which adds nothing, and announces it', async () => {
  const { ada, chat, ears, said } = await twoPeople();
  toPostgres.link.flow({ toClient: { kind: 'drop' } });
  await ada.send(chat.id, 'committed unseen');
  await eventually('it is committed', async () => (await rows(chat.id)) === 2);
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
