import { afterAll, expect, test } from 'bun:test';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
}, 30_000);

test('PostgreSQL frozen: every answer is 503 database_unavailable within 5 s, and it goes on afterwards', async () => {
  const server = await servers.createPostgres();
  const database = openPostgres({ url: server.url, applicationName: 'chats-faults-test' });
  undo.push(() => database.close());
  await migrate(database);
  const api: ChatApi = await openChatApi({ database, facts: createEmbeddedFacts() });
  undo.push(() => api.close());
  const [ann, bob, eve] = (await api.newUsers(3)) as [TestUser, TestUser, TestUser];
  const chat = await api.newGroup(ann, bob);
  await api.facts.fill([`session:${ann.sessionId}`, `session:${bob.sessionId}`]);

  await server.pause();
  const frozenAt = runningMs();
  const answers = await Promise.all([
    api.send(bob, chat.id, 'not known to take part'),
    api.call(ann, 'GET', '/chats'),
    api.call(ann, 'GET', `/chats/${chat.id}/messages`),
    api.call(ann, 'POST', `/chats/${chat.id}/participants`, { userIds: [eve.id] }),
    api.call(ann, 'POST', '/chats', { participantUserIds: [eve.id] }),
    api.call(eve, 'GET', '/chats'),
  ]);
  const tookMs = runningMs() - frozenAt;
  await server.resume();

  expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
    answers.map(() => [503, 'database_unavailable']),
  );
  expect(answers.every(({ headers }) => Number(headers.get('retry-after')) > 0)).toBe(true);
  expect(tookMs).toBeLessThan(5_000);
  await eventually('the same send is accepted', async () => {
    return (await api.send(bob, chat.id, 'again')).status === 202;
  });
  await api.stored(chat.id, 1);
}, 60_000);

test('a request that was answered 503 before its transaction began creates nothing afterwards', async () => {
  const url = await servers.createDatabase();
  const database = openPostgres({ url, applicationName: 'chats-faults-test' });
  const single = openPostgres({ url, applicationName: 'chats-faults-test', maxConnections: 1 });
  undo.push(database.close, single.close);
  await migrate(database);
  const facts = createEmbeddedFacts();
  const api = await openChatApi({ database, facts, apiDatabase: single, deadlineMs: 2_000 });
  undo.push(() => api.close());
  const [ann, bob] = (await api.newUsers(2)) as [TestUser, TestUser];
  await facts.fill([`session:${ann.sessionId}`]);
  const chats = async () => [...(await database.query('SELECT name FROM chats', []))];

  const busy = single.query('SELECT pg_sleep(3)', []);
  const waiting = await api.call(ann, 'POST', '/chats', { name: 'waiting', participantUserIds: [bob.id] });
  expect([waiting.status, waiting.body.code]).toEqual([503, 'database_unavailable']);
  await busy;
  // Behind whatever the request had left to do.
  await single.query('SELECT 1', []);
  expect(await chats()).toEqual([]);
  const later = await api.call(ann, 'POST', '/chats', { name: 'later', participantUserIds: [bob.id] });
  expect(later.status).toBe(201);
  expect(await chats()).toEqual([{ name: 'later' }]);
}, 30_000);
