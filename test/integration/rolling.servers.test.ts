import { afterAll, expect, test } from 'bun:test';
import { portVariable, type Role } from '../../harness/process.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Message } from '../../src/shared/contract.ts';
import { createBalancer } from '../../torture/balancer.ts';
import { createChanging } from '../../torture/changing.ts';
import { createClient } from '../../torture/client.ts';
import { connectAll } from '../../torture/clients.ts';
import { now as clock } from '../../torture/clock.ts';
import { readDatabase, readDeadLetters, readHeads } from '../../torture/collect.ts';
import { createComingsAndGoings } from '../../torture/comings-and-goings.ts';
import { createFlowWatch } from '../../torture/flow.ts';
import { judge } from '../../torture/judge.ts';
import { createMarking } from '../../torture/marking.ts';
import { makePopulation, type TortureChat } from '../../torture/population.ts';
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
const serviceToken = 'the token of the backend of this product';
const env: Record<string, string> = {
  ...(await serverEnvironment(servers)),
  DATA_DIR: await processes.folder(),
  NODE_ENV: 'test',
  LOG_LEVEL: 'warn',
  JWT_SECRET: secret,
  SERVICE_TOKEN: serviceToken,
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
  const before = openPostgres({ url: databaseUrl, applicationName: 'confab-test' });
  await migrateUpTo(before, '0003_store_messages_by_id');
  await before.close();
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
  const marking = createMarking({ random, clients, marksASecond: 20 });
  undo.push(sending.stop, comings.close, marking.stop);

  const haveAll = async (what: string) => {
    const heads = await readHeads(databaseUrl);
    await eventually(what, () => clients.every((client) => hasAll(client, { heads }, population)), 20_000);
  };
  const [{ id: chatId, ownerId: senderId }, closed] = chats.filter(({ isGroup }) => isGroup) as [
    TortureChat,
    TortureChat,
  ];
  const member = [...closed.members].find((userId) => userId !== closed.ownerId)!;
  const ask = async (
    method: string,
    path: string,
    body?: object,
    as: Record<string, string> | Promise<string> = token(senderId),
    api = ports.now.api,
  ) => {
    const by = as instanceof Promise ? { Authorization: `Bearer ${await as}` } : as;
    const answer = await fetch(`http://127.0.0.1:${api}${path}`, {
      method,
      headers: { ...by, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const said = answer.status === 204 ? {} : ((await answer.json()) as { code?: string });
    return { status: answer.status, ...said };
  };
  const backend = { Authorization: `Bearer ${serviceToken}` };
  /** A message that is more than a text. */
  const sendMore = async (more: object, as?: Record<string, string>) => {
    const message = { clientMessageId: random.uuid(), content: 'more than a text' };
    const begunAt = clock();
    const sent = await ask('POST', `/chats/${chatId}/messages`, { ...message, ...more }, as);
    const post = { ...message, chatId, senderId, authenticated: true };
    recorder.posts.push({ ...post, begunAt, endedAt: clock(), ...sent });
    return sent;
  };
  /** What becomes of what those of before could not show, and in the end of what does them no harm. */
  const newThings = async () => {
    const chat = `/chats/${chatId}`;
    const message = `${chat}/messages/${random.uuid()}`;
    const all = await Promise.all([
      sendMore({ metadata: {} }),
      sendMore({ messageType: 'system' }, { ...backend, 'X-Act-As': senderId }),
      ask('PATCH', message, { content: 'edited' }),
      ask('DELETE', message),
      ask('PUT', `${message}/reactions/:new:`),
      ask('DELETE', `${message}/reactions/:new:`),
      ask('PATCH', chat, { name: 'renamed', posting: 'all' }),
      ask('DELETE', `/chats/${random.uuid()}`),
      ask('POST', `/users/${random.uuid()}/deactivate`, undefined, backend),
      ask('POST', '/auth/tokens', { userId: senderId }, backend),
      ask('PATCH', `${chat}/participants/${senderId}`, { role: 'member' }),
      ask('PUT', `${chat}/typing`, { typing: true }),
      ask('PUT', `${chat}/read`, { sequence: 1 }),
    ]);
    return all.map(({ status, code }) => code ?? status);
  };
  const harmless = ['last_owner', 204, 200];
  const notReady = [...Array(10).fill('not_ready'), ...harmless];
  const ready = [
    ...[202, 202, ...Array(4).fill('message_not_found'), 200, 'chat_not_found', 'user_not_found', 200],
    ...harmless,
  ];

  await connectAll(clients);
  sending.start();
  comings.start();
  marking.start();
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
  expect(
    (await ask('PATCH', `/chats/${closed.id}`, { posting: 'admins' }, token(closed.ownerId))).status,
  ).toBe(200);
  await haveAll('everybody has been told of all of it');
  const told = new Set(recorder.clients.flatMap(({ records }) => records.map(({ kind }) => kind)));
  expect(told).toEqual(new Set([...told, 'reactions', 'settings', 'typing', 'membership']));

  const again = await startThree('old');
  // Until they are, what they do not read is accepted, and must not come to them.
  await eventually('older ones are seen', async () => Bun.deepEquals(await newThings(), notReady));
  for (const role of ['api', 'worker', 'gateway'] as const) await end(now[role]);
  await marking.stop();
  // Those of then know nothing of who may post: they hear everybody.
  const words = { content: 'heard all the same', clientMessageId: random.uuid() };
  const path = `/chats/${closed.id}/messages`;
  const begunAt = clock();
  const accepted = await ask('POST', path, words, token(member), ports.old.api);
  const post = { ...words, chatId: closed.id, senderId: member, authenticated: true };
  recorder.posts.push({ ...post, begunAt, endedAt: clock(), ...accepted });
  expect(accepted.status).toBe(202);
  const page = (await ask(
    'GET',
    `/chats/${chatId}/messages?limit=100`,
    undefined,
    token(senderId),
    ports.old.api,
  )) as { data?: Message[] };
  sending.stop();
  // So that the last number of each chat is one that everybody in it is told.
  for (const chat of chats) sending.burst(chat, 1);
  await sending.settled(20_000);
  const promised = recorder.posts.filter(({ status }) => status === 202);
  // What a queue counts lags behind what it has confirmed, and does not tell of what a worker has in hand.
  await eventually(
    'all that was accepted is a row or a dead letter',
    async () => {
      const { messages } = await readDatabase(databaseUrl);
      const stored = new Set(messages.map(({ id }) => id));
      const missing = promised.filter(({ brokerMessageId = '' }) => !stored.has(brokerMessageId));
      const letters = missing.length > 0 ? await readDeadLetters(env) : [];
      return missing.every(({ brokerMessageId }) => letters.some(({ id }) => id === brokerMessageId));
    },
    20_000,
  );
  await end(again.worker);
  await haveAll('everybody has everything');
  await comings.reconcile();
  await Promise.all([again.api, again.gateway].map(end));

  const [database, deadLetters] = [await readDatabase(databaseUrl), await readDeadLetters(env)];
  expect(database.messages.filter(({ content }) => content === words.content)).toHaveLength(1);
  // Whole, or deleted.
  const contents = new Map(database.messages.map(({ id, content }) => [id, content]));
  expect(page.data).toHaveLength(Math.min(100, page.data?.at(-1)?.sequence ?? 100));
  expect(page.data?.filter(({ id, content }) => contents.get(id) !== content)).toEqual([]);
  const verdicts = judge({
    ...recorder,
    ...{ database, deadLetters },
    ...{ replayed: [], queues: [], processes: [], presence: [] },
  });
  // Who has read how far is judged among processes that know it: in a row of the first version nothing is unread.
  const judged = verdicts.filter(({ invariant }) => invariant !== 'I11');
  expect(judged.filter(({ violations }) => violations > 0)).toEqual([]);
  expect(recorder.posts.filter(({ status }) => status === 202).length).toBeGreaterThan(300);
}, 120_000);
