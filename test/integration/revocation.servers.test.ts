import { afterAll, expect, test } from 'bun:test';
import { io, type Socket } from 'socket.io-client';
import { openPostgres } from '../../src/db/postgres.ts';
import type { MadeToken, TokenPair } from '../../src/shared/contract.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const serviceToken = 'the token of a backend that shuts people out';
const servers = await realServers();
const redis = await servers.createRedis();
const processes = testProcesses();
const deployment = await startThreeProcesses({
  processes,
  servers,
  counts: { api: 2, gateway: 2 },
  env: {
    REDIS_HOST: new URL(redis.url).hostname,
    REDIS_PORT: new URL(redis.url).port,
    RATE_LIMIT_ENABLED: 'false',
    MAX_SOCKETS_PER_USER: '1000',
    LOG_LEVEL: 'error',
    SERVICE_TOKEN: serviceToken,
  },
});
const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'confab-test' });
const sockets: Socket[] = [];
afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await database.close();
});

const password = 'correct horse battery staple';

async function post(path: string, body: object, token?: string): Promise<Response> {
  return fetch(`${deployment.apiUrl}${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
}

interface Session extends MadeToken {
  /** Of a log-in; the backend's tokens have none. */
  refreshToken?: string;
  /** When the first and when the last of its sockets was closed, one at each gateway. */
  closedAt: number[];
  refusals: string[];
}

/** One account, signed in many times, with a socket at each gateway every time; for every second session by its host's backend. */
async function signIn(count: number): Promise<Session[]> {
  const email = `${crypto.randomUUID()}@example.com`;
  expect((await post('/auth/register', { email, password })).status).toBe(201);
  const made: Session[] = [];
  for (let at = 0; at < count; at += 1) {
    // A password takes 0.2 s, a token of the backend's none: so there are as many sessions as a figure of them needs.
    const answer =
      at % 2 === 0
        ? await post('/auth/login', { email, password })
        : await post('/auth/tokens', { userId: made[0]?.user.id }, serviceToken);
    const tokens = (await answer.json()) as MadeToken & Partial<TokenPair>;
    const session: Session = { ...tokens, closedAt: [], refusals: [] };
    await Promise.all(
      deployment.gateways.map(async ({ url }) => {
        const socket = io(`${url}/chat`, {
          transports: ['websocket'],
          forceNew: true,
          reconnectionDelay: 20,
          auth: { token: tokens.accessToken },
        });
        sockets.push(socket);
        socket.on('disconnect', () => session.closedAt.push(runningMs()));
        socket.on('connect_error', (error) => {
          session.refusals.push((error as Error & { data?: { code: string } }).data?.code ?? error.message);
        });
        await eventually('it is connected', () => socket.connected);
      }),
    );
    made.push(session);
  }
  return made;
}

async function tookMs(session: Session, end: () => Promise<void>, deadlineMs = 5_000): Promise<number> {
  const began = runningMs();
  await end();
  await eventually('both of its sockets are closed', () => session.closedAt.length === 2, deadlineMs);
  return Math.max(...session.closedAt) - began;
}
const p99 = (times: number[]): number => times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]!;
const report = (what: string, times: number[]) => {
  const sorted = times.toSorted((a, b) => a - b);
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)]!, p99(times)];
  console.log(
    `  ${what}: ${times.length} times, median ${Math.round(median)} ms, p99 ${Math.round(worst)} ms`,
  );
};

const logout = (session: Session) => async () => {
  expect((await post('/auth/logout', {}, session.accessToken)).status).toBe(204);
};
const reuse = (session: Session) => async () => {
  expect((await post('/auth/refresh', { refreshToken: session.refreshToken })).status).toBe(401);
};
/** The session's token, and the one after it: so it is a copy to whoever sees it again. */
async function exchanged(session: Session): Promise<void> {
  const first = await post('/auth/refresh', { refreshToken: session.refreshToken });
  const { refreshToken } = (await first.json()) as TokenPair;
  expect((await post('/auth/refresh', { refreshToken })).status).toBe(200);
}

test('logout and the reuse of a refresh token close the sockets at every gateway within 1 s (p99), and no others', async () => {
  const sessions = await signIn(41);
  const kept = sessions.pop()!;
  const times: number[] = [];
  for (const [at, session] of sessions.entries()) {
    if (at % 4 === 0) await exchanged(session);
    times.push(await tookMs(session, at % 4 === 0 ? reuse(session) : logout(session)));
  }
  report('ended sessions', times);
  expect(p99(times)).toBeLessThan(1_000);
  await eventually('all are told why', () => sessions.every(({ refusals }) => refusals.length === 2));
  expect(new Set(sessions.flatMap(({ refusals }) => refusals))).toEqual(new Set(['session_revoked']));
  expect(kept.closedAt).toEqual([]);
}, 120_000);

test('a deactivation closes the sockets at every gateway within 1 s, and no process lets the user in', async () => {
  const sessions = (await Promise.all([signIn(2), signIn(2), signIn(2)])).flat();
  const [kept] = await signIn(1);
  const apis = deployment.apis.map(({ url }) => url);
  const statusAt = async (url: string, { accessToken }: Session) =>
    (await fetch(`${url}/auth/me`, { headers: { Authorization: `Bearer ${accessToken}` } })).status;
  // Both know the sessions.
  for (const url of apis) for (const session of sessions) expect(await statusAt(url, session)).toBe(200);
  const deactivate = (userId: string) => () =>
    post(`/users/${userId}/deactivate`, {}, serviceToken).then(({ status }) => expect(status).toBe(204));
  const times: number[] = [];
  for (const [one, other] of [sessions.slice(0, 2), sessions.slice(2, 4), sessions.slice(4)]) {
    times.push(await tookMs(one!, deactivate(one!.user.id)));
    await eventually('those of the other session, too', () => other!.closedAt.length === 2);
  }
  report('deactivated users', times);
  expect(Math.max(...times)).toBeLessThan(1_000);
  for (const url of apis) {
    for (const session of sessions) expect(await statusAt(url, session)).toBe(401);
    expect(await statusAt(url, kept!)).toBe(200);
  }
  await eventually('all are told why', () => sessions.every(({ refusals }) => refusals.length === 2));
  expect(kept!.closedAt).toEqual([]);
}, 60_000);

/** A person's ears at each gateway. */
const earsOf = (person: Person) => Promise.all(deployment.gateways.map(({ url }) => person.connect({ url })));

test('a removal reaches every gateway within 1 s (p99); nothing that is sent after it does', async () => {
  const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
  const chats = [];
  for (let at = 0; at < 40; at += 1) {
    const { body } = await ada.call('POST', '/chats', { participantUserIds: [bob.id], isGroup: true });
    chats.push(body);
  }
  const ears = await earsOf(bob);
  const times: number[] = [];
  for (const chat of chats) {
    const out = () =>
      ears.every(({ events }) =>
        events.some(([name, { chatId }]) => name === 'chat.participant.removed' && chatId === chat.id),
      );
    const began = runningMs();
    expect((await ada.call('DELETE', `/chats/${chat.id}/participants/${bob.id}`)).status).toBe(204);
    await eventually('both sockets are told', out);
    times.push(runningMs() - began);
    await ada.send(chat.id, 'after');
  }
  report('removals', times);
  expect(p99(times)).toBeLessThan(1_000);
  const fence = await ada.newChat(bob);
  await ada.send(fence.id, 'fence');
  for (const one of ears) {
    await one.heard('fence');
    expect(one.news.map(({ message }) => message.content)).toEqual(['fence']);
    one.close();
  }
}, 120_000);

test('while Redis is away both take effect within 30 s', async () => {
  const [session] = await signIn(1);
  const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
  const { body: chat } = await ada.call('POST', '/chats', { participantUserIds: [bob.id], isGroup: true });
  const ears = await earsOf(bob);
  await redis.kill();
  const began = performance.now();
  expect((await ada.call('DELETE', `/chats/${chat.id}/participants/${bob.id}`)).status).toBe(204);
  const closing = tookMs(session!, logout(session!), 35_000);
  await eventually(
    'both sockets are told of the removal',
    () => ears.every(({ events }) => events.some(([name]) => name === 'chat.participant.removed')),
    35_000,
  );
  const [removed, closed] = [performance.now() - began, await closing];
  console.log(`  without Redis: removal ${Math.round(removed)} ms, logout ${Math.round(closed)} ms`);
  expect(removed).toBeLessThan(30_000);
  expect(closed).toBeLessThan(30_000);
  for (const one of ears) one.close();
}, 90_000);
