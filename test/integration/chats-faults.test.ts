import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { participantFact } from '../../src/chat/participant-fact.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import type { Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Chat, Message } from '../../src/shared/contract.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { type Answer, type ChatApi, openChatApi, type TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';

const { database, facts } = await embeddedBase();

describe('chats while something is away', () => {
  let unreachable: Database;
  let api: ChatApi;
  let databaseDown = false;
  let [ann, bob, eve]: TestUser[] = [];
  let chat: Chat;

  beforeAll(async () => {
    unreachable = openPostgres({
      url: `postgres://postgres@127.0.0.1:${await freePort()}/none`,
      applicationName: 'test',
    });
    const reached = () => (databaseDown ? unreachable : database);
    const apiDatabase: Database = {
      get orm() {
        return reached().orm;
      },
      query: (text, parameters) => reached().query(text, parameters),
      queryText: (text, parameters) => reached().queryText(text, parameters),
      alone: (options, work) => reached().alone(options, work),
      close: async () => {},
    };
    api = await openChatApi({ database, facts, apiDatabase });
    [ann, bob, eve] = (await api.newUsers(3)) as [TestUser, TestUser, TestUser];
    chat = await api.newGroup(ann, bob);
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await unreachable.close();
  });

  test('PostgreSQL down: facts known for less than 30 s still let sends through', async () => {
    expect((await api.send(ann!, chat.id, 'before')).status).toBe(202);
    databaseDown = true;
    const meanwhile = await api.send(ann!, chat.id, 'meanwhile');
    databaseDown = false;
    expect(meanwhile.status).toBe(202);
    await api.stored(chat.id, 2);
    expect(await contents()).toEqual(['before', 'meanwhile']);
  });

  test('PostgreSQL down: what only it knows is 503 database_unavailable, on every route', async () => {
    await api.facts.fill([`session:${bob!.sessionId}`]);
    const own = `/chats/${chat.id}`;
    databaseDown = true;
    const answers = [
      await api.send(bob!, chat.id, 'not known to take part'),
      await api.call(bob!, 'GET', '/chats'),
      await api.call(bob!, 'POST', '/chats', { participantUserIds: [ann!.id] }),
      await api.call(bob!, 'GET', own),
      await api.call(bob!, 'GET', `${own}/participants`),
      await api.call(bob!, 'POST', `${own}/participants`, { userIds: [eve!.id] }),
      await api.call(bob!, 'DELETE', `${own}/participants/${bob!.id}`),
      await api.call(bob!, 'GET', `${own}/messages`),
      await api.call(bob!, 'GET', `${own}/messages/${chat.id}`),
    ];
    databaseDown = false;
    for (const answer of answers) expectUnavailable(answer, 'database_unavailable');
    expect((await api.call(ann!, 'GET', own)).body.participantCount).toBe(2);
  });

  test('the broker away: 503 broker_unavailable, and a repeat gets the same ids', async () => {
    const key = crypto.randomUUID();
    api.faults.sendQueue = new ChatError('broker_unavailable', undefined, { retryAfterSeconds: 2 });
    expectUnavailable(await api.send(ann!, chat.id, 'again', key), 'broker_unavailable');
    api.faults.sendQueue = undefined;
    const one = await api.send(ann!, chat.id, 'again', key);
    const two = await api.send(ann!, chat.id, 'again', key);
    expect([one.status, two.body]).toEqual([202, one.body]);
  });

  test('a broker that fails in an unknown way: a generic 500, without its message', async () => {
    api.faults.sendQueue = new Error('secret of the inside');
    const answer = await api.send(ann!, chat.id, 'x');
    api.faults.sendQueue = undefined;
    expect([answer.status, answer.body.code]).toEqual([500, 'internal_error']);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });

  test('Redis forbids nothing: of a fact revoked by mistake PostgreSQL has the last word', async () => {
    await facts.revoke([participantFact(chat.id, ann!.id)]);
    expect((await api.send(ann!, chat.id, 'still here')).status).toBe(202);
  });

  test('Redis allows nothing: what an invented fact let in the worker refuses', async () => {
    await facts.fill([participantFact(chat.id, eve!.id)]);
    expect((await api.send(eve!, chat.id, 'from outside')).status).toBe(202);
    await api.send(ann!, chat.id, 'from inside');
    // One partition: what came before it has been decided.
    await eventually('the later one is stored', async () => (await contents()).includes('from inside'));
    expect(await contents()).not.toContain('from outside');
  });

  const contents = async () =>
    (await api.call(ann!, 'GET', `/chats/${chat.id}/messages`)).body.data.map(
      ({ content }: Message) => content,
    );
});

function expectUnavailable({ status, headers, body }: Answer, code: string): void {
  expect([status, body.code]).toEqual([503, code]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
}
