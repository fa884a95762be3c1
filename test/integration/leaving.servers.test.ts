import { expect, test } from 'bun:test';
import { io, type Socket } from 'socket.io-client';
import { openPostgres } from '../../src/db/postgres.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({
  processes,
  servers,
  env: { RATE_LIMIT_ENABLED: 'false', MAX_SOCKETS_PER_USER: '1000', LOG_LEVEL: 'warn' },
});

const password = 'correct horse battery staple';

async function atOnce(
  url: string,
  count: number,
): Promise<{ logins: Promise<number[]>; begun: Promise<void> }> {
  const email = `${crypto.randomUUID()}@example.com`;
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await post('/auth/register', { email, password })).status).toBe(201);
  // From then on the address is known: strangers have fewer turns, and on a busy machine one may wait too long for the last.
  expect((await post('/auth/login', { email, password })).status).toBe(200);
  // Each compares a password for a tenth of a second or more, a few at a time.
  const logins = Array.from({ length: count }, async () => {
    const response = await post('/auth/login', { email, password });
    await response.json();
    return response.status;
  });
  const all = Promise.all(logins);
  // Looked at later.
  all.catch(() => {});
  return { logins: all, begun: Promise.race(logins).then(() => {}) };
}

const untilRefused = (url: string) =>
  eventually('it takes nothing more', () =>
    fetch(`${url}/healthz`, { headers: { Connection: 'close' } }).then(
      () => false,
      () => true,
    ),
  );

test('SIGTERM: the api answers what it has begun, takes nothing more, and ends', async () => {
  const api = await deployment.start('api');
  const { logins, begun } = await atOnce(api.url, 5);
  await begun;
  const began = runningMs();
  api.process.signal('SIGTERM');
  await untilRefused(api.url);
  expect(await logins).toEqual([200, 200, 200, 200, 200]);
  expect(await api.process.exited).toBe(0);
  expect(runningMs() - began).toBeLessThan(25_000);
}, 60_000);

test('a second signal ends the api at once', async () => {
  const api = await deployment.start('api');
  const { logins, begun } = await atOnce(api.url, 30);
  await begun;
  api.process.signal('SIGTERM');
  await untilRefused(api.url);
  api.process.signal('SIGTERM');
  const began = runningMs();
  const code = await api.process.exited;
  expect(runningMs() - began).toBeLessThan(1_000);
  expect(code).toBe(130);
  await expect(logins).rejects.toThrow();
}, 60_000);

test('SIGTERM: the worker finishes its batch and leaves the rest, which the next one stores', async () => {
  const [first] = deployment.workers;
  const ada = await newPerson(deployment);
  const chat = await ada.newChat();
  const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'confab-test' });
  const rows = async () =>
    (
      await database.query<{ rows: number }>(
        'SELECT count(*)::int AS rows FROM messages WHERE chat_id = $1::uuid',
        [chat.id],
      )
    )[0]!.rows;
  const count = 300;
  const sending = Promise.all(Array.from({ length: count }, (_, at) => ada.send(chat.id, `${at}`)));
  await eventually('some are stored', async () => (await rows()) > 0);
  const began = runningMs();
  first!.process.signal('SIGTERM');
  expect(await first!.process.exited).toBe(0);
  expect(runningMs() - began).toBeLessThan(25_000);
  await sending;
  await deployment.start('worker');
  await eventually('all are stored', async () => (await rows()) >= count, 20_000);
  const [numbers] = await database.query<{ rows: number; last: number; keys: number }>(
    `SELECT count(*)::int AS rows, max(sequence)::int AS last, count(DISTINCT client_message_id)::int AS keys
    FROM messages WHERE chat_id = $1::uuid`,
    [chat.id],
  );
  expect(numbers).toEqual({ rows: count, last: count, keys: count });
  await database.close();
}, 90_000);

/** Sockets of one person, with when and why each was closed. */
async function connectMany(url: string, token: string, count: number) {
  const closed: { at: number; reason: string }[] = [];
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += 1) {
    const options = { transports: ['websocket'], forceNew: true, reconnection: false, auth: { token } };
    const socket = io(`${url}/chat`, options);
    socket.on('disconnect', (reason) => closed.push({ at: performance.now(), reason }));
    sockets.push(socket);
  }
  await eventually('all are connected', () => sockets.every(({ connected }) => connected), 20_000);
  return { sockets, closed };
}

test('SIGTERM: the gateway sends newcomers away and closes the others bit by bit; they resume elsewhere', async () => {
  const leaving = await deployment.start('gateway', { LOG_LEVEL: 'info' });
  const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
  const chat = await ada.newChat(bob);
  const { closed } = await connectMany(leaving.url, bob.token, 300);
  const began = runningMs();
  leaving.process.signal('SIGTERM');
  await eventually('it has begun', () => closed.length > 0);
  const refused = await fetch(`${leaving.url}/socket.io/?EIO=4&transport=polling`);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  await ada.send(chat.id, 'meanwhile');
  await eventually('all are closed', () => closed.length === 300, 20_000);
  // As if the network had gone, which a plain client comes back from.
  expect(new Set(closed.map(({ reason }) => reason))).toEqual(new Set(['transport close']));
  expect(closed.at(-1)!.at - closed[0]!.at).toBeGreaterThan(300);
  expect(await leaving.process.exited).toBe(0);
  expect(runningMs() - began).toBeLessThan(25_000);
  const said = leaving.process.output();
  for (const line of ['SIGTERM: leaving', 'draining 300 sockets', 'left in ']) expect(said).toContain(line);

  const cursors = { [chat.id]: chat.eventSequence };
  const back = io(`${deployment.socketUrl}/chat`, {
    transports: ['websocket'],
    forceNew: true,
    auth: { token: bob.token, cursors },
  });
  const heard: string[] = [];
  back.on('chat.message.new', ({ message }) => heard.push(message.content));
  await eventually('it is told what it missed', () => heard.length > 0);
  expect(heard).toEqual(['meanwhile']);
  back.disconnect();
}, 60_000);

test('a second signal ends the gateway at once', async () => {
  const leaving = await deployment.start('gateway');
  const ada = await newPerson(deployment);
  const { closed } = await connectMany(leaving.url, ada.token, 300);
  leaving.process.signal('SIGTERM');
  await eventually('it has begun', () => closed.length > 0);
  const began = runningMs();
  leaving.process.signal('SIGTERM');
  expect(await leaving.process.exited).toBe(130);
  expect(runningMs() - began).toBeLessThan(1_000);
  await eventually('nobody is left connected', () => closed.length === 300);
}, 60_000);
