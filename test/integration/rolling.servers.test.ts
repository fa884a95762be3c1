import { afterAll, expect, test } from 'bun:test';
import { portVariable, type Role } from '../../harness/process.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createBalancer } from '../../torture/balancer.ts';
import { createChanging } from '../../torture/changing.ts';
import { createClient } from '../../torture/client.ts';
import { connectAll } from '../../torture/clients.ts';
import { now as clock } from '../../torture/clock.ts';
import { readDatabase, readDeadLetters, readHeads, waitingMessages } from '../../torture/collect.ts';
import { createComingsAndGoings } from '../../torture/comings-and-goings.ts';
import { createFlowWatch } from '../../torture/flow.ts';
import { judge } from '../../torture/judge.ts';
import { makePopulation } from '../../torture/population.ts';
import { createRandom } from '../../torture/random.ts';
import { createRecorder } from '../../torture/recorder.ts';
import { createRest } from '../../torture/rest.ts';
import { createSending } from '../../torture/sending.ts';
import { hasAll } from '../../torture/settle.ts';
import { createLink } from '../../torture/tcp-proxy.ts';
import { type Member, serverEnvironment, startMember } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { oldProgram } from '../support/old-program.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';
import { migrateUpTo } from '../support/upgrade.ts';

const servers = await realServers();
const processes = testProcesses();
const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

type Three = Record<Role, Member>;
const roles: readonly Role[] = ['api', 'worker', 'gateway'];
const secret = 'a secret of at least thirty-two bytes';
const env: Record<string, string> = {
  ...(await serverEnvironment(servers)),
  DATA_DIR: await processes.folder(),
  NODE_ENV: 'test',
  LOG_LEVEL: 'warn',
  JWT_SECRET: secret,
  RATE_LIMIT_ENABLED: 'false',
};
const databaseUrl = env.DATABASE_URL ?? '';
const root = { old: await oldProgram(processes), now: undefined };
const freePorts = async () => ({
  api: await freePort(),
  worker: await freePort(),
  gateway: await freePort(),
});
const ports = { old: await freePorts(), now: await freePorts() };

async function startThree(version: 'old' | 'now'): Promise<Three> {
  const three = roles.map(async (role) => {
    const own = { ...env, [portVariable[role]]: String(ports[version][role]) };
    return [role, await startMember(processes, role, own, root[version])] as const;
  });
  return Object.fromEntries(await Promise.all(three)) as Three;
}

async function end({ process }: Member): Promise<void> {
  process.signal('SIGTERM');
  expect(await process.exited).toBe(0);
}

/** One address for both versions. */
function balance(role: Role): string {
  const balancer = createBalancer([createLink(ports.old[role]), createLink(ports.now[role])]);
  undo.push(balancer.close);
  return `http://127.0.0.1:${balancer.port}`;
}

test('the first version and this one take turns, there and back, while people write: nothing is lost, doubled or reversed', async () => {
  const database = openPostgres({ url: databaseUrl, applicationName: 'confab-test' });
  await migrateUpTo(database, '0003_store_messages_by_id');
  await database.close();
  const old = await startThree('old');

  const random = createRandom('rolling');
  const flow = createFlowWatch();
  const recorder = createRecorder(flow.shown);
  const [apiUrl, url] = [balance('api'), balance('gateway')];
  const rest = createRest(apiUrl);
  const sizes = { users: 15, chats: 6 };
  const population = await makePopulation({ random, sizes, databaseUrl, apiUrl, secret });
  const { users, chats, token } = population;
  const clients = users.map(({ id }) =>
    createClient({
      ...{ name: id, userId: id, url, rest, recorder, reconnectionDelayMaxMs: 200 },
      ...{ token: () => token(id), restToken: () => token(id) },
      chats: chats.filter(({ members }) => members.has(id)),
    }),
  );
  undo.push(() => Promise.all(clients.map((client) => client.close())));
  const parts = { random, population, rest, recorder };
  const sending = createSending({ ...parts, flow, messagesASecond: 100, mostPauseMs: 500 });
  const comings = createComingsAndGoings({ ...parts, databaseUrl });
  const changing = createChanging({ ...parts, changesASecond: 40 });
  undo.push(sending.stop, comings.close);

  const haveAll = async (what: string) => {
    const heads = await readHeads(databaseUrl);
    await eventually(what, () => clients.every((client) => hasAll(client, { heads }, population)), 20_000);
  };
  const { id: chatId, ownerId: senderId } = chats.find(({ isGroup }) => isGroup)!;
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`http://127.0.0.1:${ports.now.api}/chats/${path}`, {
      method,
      headers: { Authorization: `Bearer ${await token(senderId)}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const said = answer.status === 204 ? {} : ((await answer.json()) as { code?: string });
    return { status: answer.status, ...said };
  };
  /** A message that is more than a text. */
  const sendMore = async () => {
    const message = { clientMessageId: random.uuid(), content: 'with metadata' };
    const [begunAt, sent] = [clock(), await ask('POST', `${chatId}/messages`, { ...message, metadata: {} })];
    const post = { ...message, chatId, senderId, authenticated: true };
    recorder.posts.push({ ...post, begunAt, endedAt: clock(), ...sent });
    return sent.code ?? sent.status;
  };
  /** What becomes of what those of before could not show, and in the end of what does them no harm. */
  const newThings = async () => {
    const message = `${chatId}/messages/${random.uuid()}`;
    const others = await Promise.all([
      ask('PATCH', message, { content: 'edited' }),
      ask('DELETE', message),
      ask('PUT', `${message}/reactions/:new:`),
      ask('DELETE', `${message}/reactions/:new:`),
      ask('PATCH', chatId, { name: 'renamed' }),
      ask('DELETE', random.uuid()),
      ask('PATCH', `${chatId}/participants/${senderId}`, { role: 'member' }),
      ask('PUT', `${chatId}/typing`, { typing: true }),
    ]);
    return [await sendMore(), ...others.map(({ status, code }) => code ?? status)];
  };
  const notReady = [...Array(7).fill('not_ready'), 'last_owner', 204];
  const ready = [202, ...Array(4).fill('message_not_found'), 200, 'chat_not_found', 'last_owner', 204];

  await connectAll(clients);
  sending.start();
  comings.start();
  const migrated = await processes.finish(['src/commands/migrate.ts'], env);
  expect(migrated, migrated.output).toMatchObject({ code: 0 });
  const now = await startThree('now');
  for (const role of ['gateway', 'worker', 'api'] as const) {
    expect(await newThings()).toEqual(notReady);
    await end(old[role]);
  }
  await eventually('the last older one is forgotten', async () => Bun.deepEquals(await newThings(), ready));
  // Whoever is added reads the chat, and of what is edited an older api shows no version.
  await comings.stop();
  changing.start();
  await eventually('messages are edited and deleted', () => recorder.changes.length > 10);
  await changing.stop();
  await haveAll('everybody has been told of all of it');

  const again = await startThree('old');
  // Until they are, what they do not read is accepted, and must not come to them.
  await eventually('older ones are seen', async () => Bun.deepEquals(await newThings(), notReady));
  for (const role of ['api', 'worker', 'gateway'] as const) await end(now[role]);
  sending.stop();
  // So that the last number of each chat is one that everybody in it is told.
  for (const chat of chats) sending.burst(chat, 1);
  await sending.settled(20_000);
  const queues = env.RABBITMQ_CHAT_QUEUE_PREFIX;
  const waiting = () => waitingMessages(servers.rabbitmqUrl, queues);
  await eventually('all that was accepted is stored', async () => (await waiting()) === 0, 20_000);
  // It stores what it has in hand.
  await end(again.worker);
  await haveAll('everybody has everything');
  await comings.reconcile();
  await Promise.all([again.api, again.gateway].map(end));

  const verdicts = judge({
    ...recorder,
    ...{ database: await readDatabase(databaseUrl), deadLetters: await readDeadLetters(env) },
    ...{ replayed: [], queues: [], processes: [] },
  });
  // Who has read how far is judged among processes that know it: in a row of the first version nothing is unread.
  const judged = verdicts.filter(({ invariant }) => invariant !== 'I11');
  expect(judged.filter(({ violations }) => violations > 0)).toEqual([]);
  expect(recorder.posts.filter(({ status }) => status === 202).length).toBeGreaterThan(300);
}, 120_000);
