import { afterAll, afterEach, expect, test } from 'bun:test';
import { io, type Socket } from 'socket.io-client';
import { type HttpConnection, openHttp } from '../../bench/harness/http-client.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Chat, ServerToClientEvents, User } from '../../src/shared/contract.ts';
import { type Member, startMember, startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { guidesHaproxy, guidesNginx } from '../support/guide-balancers.ts';
import { testProcesses } from '../support/processes.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const serviceToken = 'the token of the backend of this product';
const deployment = await startThreeProcesses({
  processes,
  servers,
  counts: { api: 2, worker: 2, gateway: 2 },
  env: {
    SERVICE_TOKEN: serviceToken,
    TRUST_PROXY: 'true',
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'warn',
    // Two bad answers, a second apart.
    SHUTDOWN_DELAY: '2s',
  },
});
const { apis, workers, gateways } = deployment;
const balanced = { apis, gateways };
const fronts = await Promise.all([
  servers.createNginx(await guidesNginx(balanced)),
  servers.createHaproxy(await guidesHaproxy(balanced)),
]);
const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'confab-test' });
afterAll(database.close);
const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.disconnect();
});

const postsASecond = 400;
const listeners = 40;
const connectionsOfFront = 16;

/** As the host's backend, which comes through no balancer. */
async function backend<Body>(method: string, path: string, body: object, as?: string): Promise<Body> {
  const answer = await fetch(`${deployment.apiUrl}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${serviceToken}`,
      'Content-Type': 'application/json',
      ...(as && { 'X-Act-As': as }),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Body;
}

async function tokenOf({ id: userId }: User): Promise<string> {
  return (await backend<{ accessToken: string }>('POST', '/auth/tokens', { userId })).accessToken;
}

/** A client as the guide writes it, with all that is Socket.IO's own left as it is. */
function listen(url: string, token: string, { id, eventSequence }: Chat) {
  const cursors = { [id]: eventSequence };
  const heard: string[] = [];
  const refusals: string[] = [];
  /** Milliseconds from each loss of the connection to `chat.ready`. */
  const away: number[] = [];
  let ready = false;
  let lostAt: number | undefined;
  const socket: Socket<ServerToClientEvents> = io(`${url}/chat`, {
    transports: ['websocket'],
    forceNew: true,
    auth: (give) => give({ token, cursors }),
  });
  open.push(socket);
  socket.on('chat.message.new', ({ message, eventSequence: at }) => {
    heard.push(message.content);
    cursors[id] = at;
  });
  socket.on('connect_error', ({ message }) => refusals.push(message));
  socket.on('disconnect', () => {
    ready = false;
    lostAt = runningMs();
  });
  socket.on('chat.ready', () => {
    ready = true;
    if (lostAt !== undefined) away.push(runningMs() - lostAt);
    lostAt = undefined;
  });
  return { chatId: id, heard, away, refusals, ready: () => ready };
}

/**
 * Posts at a steady rate, half of it through each front, on connections that are kept. Nothing is tried again, and what a slow
 * machine has missed is not caught up on.
 */
function startPosting(token: string, chats: readonly Chat[]) {
  const accepted = new Map(chats.map(({ id }) => [id, [] as string[]]));
  const refused: string[] = [];
  const startedAt = performance.now();
  const everyMs = (connectionsOfFront * fronts.length * 1_000) / postsASecond;
  let begun = 0;
  let over = false;

  const request = ({ id }: Chat, content: string) => {
    const body = JSON.stringify({ content, clientMessageId: crypto.randomUUID() });
    const head = `POST /chats/${id}/messages HTTP/1.1\r\nHost: confab\r\nAuthorization: Bearer ${token}`;
    return Buffer.from(
      `${head}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  };
  const client = async (name: string, port: number) => {
    let connection: HttpConnection | undefined;
    let next = startedAt + Math.random() * everyMs;
    while (!over) {
      await Bun.sleep(Math.max(0, next - performance.now()));
      // Timers are late by up to a millisecond, which is no sign of a slow machine.
      next = Math.max(next + everyMs, performance.now() + everyMs / 2);
      const number = begun;
      begun += 1;
      const chat = chats[number % chats.length]!;
      let told: string;
      try {
        connection ??= await openHttp(port);
        const answer = await connection.send(request(chat, String(number)));
        told = String(answer.status);
        if (answer.status === 202) accepted.get(chat.id)?.push(String(number));
        // nginx ends each connection after a thousand requests, and says so.
        if (/\r\nconnection: close\r\n/i.test(answer.text())) connection = undefined;
      } catch (error) {
        told = String(error);
        connection = undefined;
      }
      if (told !== '202') refused.push(`${name}: ${told}`);
    }
    connection?.close();
  };
  const clients = fronts.flatMap(({ name, port }) =>
    Array.from({ length: connectionsOfFront }, () => client(name, port)),
  );
  return {
    accepted,
    refused,
    /** @returns how many a second there were */
    async stop() {
      over = true;
      await Promise.all(clients);
      return (begun * 1_000) / (performance.now() - startedAt);
    },
  };
}

async function restart({ role, process, env }: Member): Promise<void> {
  process.signal('SIGTERM');
  expect(await process.exited).toBe(0);
  await startMember(processes, role, env);
}

test.each(fronts.map(({ name, url }) => [name, url] as const))(
  'what is for whoever runs the processes does not come through %s, nor does anybody as their backend',
  async (_, url) => {
    const ask = async (path: string, headers: Record<string, string> = {}) =>
      (await fetch(`${url}${path}`, { headers })).status;
    for (const path of ['/readyz', '/metrics', '/auth/tokens', '/users/external/x'])
      expect({ path, status: await ask(path) }).toEqual({ path, status: 404 });
    const { data } = await backend<{ data: User[] }>('PUT', '/users/external', {
      users: [{ externalId: 'x' }],
    });
    const [user] = data as [User];
    const stolen = { Authorization: `Bearer ${serviceToken}`, 'X-Act-As': user.id };
    expect(await ask('/auth/me', stolen)).toBe(401);
    expect(await ask('/auth/me', { Authorization: `Bearer ${await tokenOf(user)}` })).toBe(200);
  },
);

test('all six are restarted one by one behind HAProxy and nginx, at 400 posts a second: no request fails, nothing is lost, sockets are back within 2 s', async () => {
  const ids = Array.from({ length: listeners + 1 }, (_, at) => ({ externalId: `user-${at}` }));
  const { data } = await backend<{ data: User[] }>('PUT', '/users/external', { users: ids });
  const [writer, ...people] = data as [User, ...User[]];
  const chats: Chat[] = [];
  const sockets: ReturnType<typeof listen>[] = [];
  for (const person of people) {
    const others = { participantUserIds: [person.id], isGroup: true };
    const chat = await backend<Chat>('POST', '/chats', others, writer.id);
    const token = await tokenOf(person);
    chats.push(chat);
    sockets.push(...fronts.map(({ url }) => listen(url, token, chat)));
  }
  const allReady = () => sockets.every((socket) => socket.ready());
  await eventually('all are connected', allReady, 20_000);

  const posting = startPosting(await tokenOf(writer), chats);
  for (const member of [...apis, ...workers, ...gateways]) {
    await restart(member);
    await eventually('all are back', allReady, 20_000);
  }
  const rate = await posting.stop();
  expect(posting.refused).toEqual([]);

  const rows = async () => {
    const all = await database.query<{ chat: string; contents: string[] }>(
      'SELECT chat_id AS chat, json_agg(content ORDER BY sequence) AS contents FROM messages GROUP BY 1',
      [],
    );
    return new Map(all.map(({ chat, contents }) => [chat, contents]));
  };
  const count = (contents: Iterable<readonly string[]>) => [...contents].flat().length;
  const promised = count(posting.accepted.values());
  expect(promised).toBeGreaterThan(2_000);
  await eventually('all is stored', async () => count((await rows()).values()) >= promised, 20_000);
  const heard = () => count(sockets.map((socket) => socket.heard));
  await eventually('all is heard', () => heard() >= promised * fronts.length, 20_000);
  const stored = await rows();
  for (const [chat, contents] of posting.accepted)
    expect(stored.get(chat)?.toSorted()).toEqual(contents.toSorted());
  for (const socket of sockets) expect(socket.heard).toEqual(stored.get(socket.chatId)!);

  expect(sockets.filter(({ away }) => away.length === 0)).toEqual([]);
  const away = sockets.flatMap((socket) => socket.away).sort((a, b) => a - b);
  // Each is let in at its first attempt, before which Socket.IO by itself pauses for 0.5 to 1.5 s.
  expect(sockets.flatMap(({ refusals }) => refusals)).toEqual([]);
  // A machine that offers a half of the posts is half as fast, and has twice the time.
  const allowedMs = 2_000 * Math.max(1, postsASecond / rate);
  const [median = Number.NaN, longest] = [away[Math.floor(away.length / 2)], away.at(-1) ?? Number.NaN];
  console.log(
    `  ${Math.round(rate)} of ${postsASecond} posts a second, ${promised} accepted, none refused; ` +
      `${away.length} sockets back after ${Math.round(median)} ms (median), ${Math.round(longest)} ms at most: ` +
      `${Math.round(allowedMs)} ms are allowed`,
  );
  expect(median).toBeLessThan(allowedMs);
}, 120_000);
