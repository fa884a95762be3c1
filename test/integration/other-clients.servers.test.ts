import { afterAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { io as newest } from 'socket.io-client';
import { io as of31 } from 'socket.io-client-3.1';
import { io as of40 } from 'socket.io-client-4.0';
import { io as of45 } from 'socket.io-client-4.5';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type RunningGateway,
  startTestGateway,
  type WorldUser,
} from '../support/gateway-world.ts';
import { testProcesses } from '../support/processes.ts';
import { twoEnds } from '../support/two-ends.ts';

const processes = testProcesses();
const base = await twoEnds();
const world = await createWorld(base);
const [end] = base.ends;

/** Clients of other makes and ages, each on every transport, with what they do by themselves and no more. */
interface OtherClient {
  name: string;
  user: WorldUser;
  /** Of the messages it was told, in the order of their arrival. */
  readonly contents: string[];
  readonly connects: number;
  /** It has been shown its chat: its messages are events from then on. */
  readonly shown: boolean;
  /** How often it heard that its token had ended. */
  readonly expired: number;
  close(): void;
}

const ways = [['websocket'], ['polling'], ['polling', 'websocket']];
const versions: [string, typeof newest][] = [
  ['3.1', of31 as unknown as typeof newest],
  ['4.0', of40 as unknown as typeof newest],
  ['4.5', of45 as unknown as typeof newest],
  ['newest', newest],
];

/** What tokens are good for that are asked for now; where it is less than theirs is, clients ask for one. */
let ttlSeconds = 900;

function openJavaScript(
  name: string,
  io: typeof newest,
  { url, user, transports }: { url: string; user: WorldUser; transports: string[] },
): OtherClient {
  const cursors: Record<string, number> = {};
  const contents: string[] = [];
  const close = () => void socket.disconnect();
  const client = { name, user, contents, connects: 0, shown: false, expired: 0, close };
  let token: Promise<string> | undefined;
  let tokenTtl = 0;
  const socket = io(`${url}/chat`, {
    transports,
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 300,
    auth: (give) => {
      if (!token || tokenTtl > ttlSeconds) token = world.tokenFor(user, ttlSeconds);
      tokenTtl = ttlSeconds;
      token.then((given) => give({ token: given, cursors }));
    },
  });
  socket.on('connect', () => {
    client.connects += 1;
  });
  socket.on('connect_error', (error: Error & { data?: { code: string } }) => {
    if (error.data?.code !== 'token_expired') return;
    client.expired += 1;
    token = undefined;
    socket.connect();
  });
  socket.on('chat.created', ({ chat }) => {
    cursors[chat.id] = chat.eventSequence;
    client.shown = true;
  });
  socket.on('chat.message.new', ({ chatId, message, eventSequence }) => {
    cursors[chatId] = eventSequence;
    client.contents.push(message.content);
  });
  return client;
}

/** Hands out tokens to clients that are processes. */
const tokens = Bun.serve({
  port: 0,
  fetch: async (request) => {
    const user = clients.find((client) => request.url.endsWith(client.user.id))?.user;
    return new Response(await world.tokenFor(user!, ttlSeconds));
  },
});
afterAll(() => tokens.stop(true));

function openPython(
  name: string,
  { url, user, transports }: { url: string; user: WorldUser; transports: string[] },
): OtherClient {
  const { python } = findBinaries();
  if (python === undefined) throw new Error('python-socketio is not on this machine');
  const script = join(import.meta.dir, '../support/python-client.py');
  const tokenUrl = `http://localhost:${tokens.port}/${user.id}`;
  const child = processes.bash(`exec ${python} ${script} ${url} ${tokenUrl} ${transports.join(',')}`);
  const said = (): { what: string; event?: string; content?: string }[] =>
    [...child.output().matchAll(/^{.*}$/gm)].map(([line]) => JSON.parse(line));
  return {
    name,
    user,
    expired: 0,
    get contents() {
      return said().flatMap(({ event, content }) => (event === 'chat.message.new' && content ? content : []));
    },
    get connects() {
      return said().filter(({ what }) => what === 'connect').length;
    },
    get shown() {
      return said().some(({ event }) => event === 'chat.created');
    },
    close: () => void child.kill(),
  };
}

const clients: OtherClient[] = [];

test('clients of other makes and ages come back from whatever ends their connection, and miss nothing', async () => {
  const start = (port = 0): Promise<RunningGateway> =>
    startTestGateway(
      { ...base, ...end!, pingTimes: { intervalMs: 1_000, timeoutMs: 2_000, sweepMs: 200 } },
      { port },
    );
  let running = await start();
  const { url, port } = running;

  const count = (versions.length + 1) * ways.length;
  const [ada, ...users] = await world.newUsers(count + 1);
  const chat = await world.newGroup(ada!, ...users);
  for (const transports of ways) {
    const way = transports.join(' then ');
    for (const [version, io] of versions) {
      const at = { url, user: users[clients.length]!, transports };
      clients.push(openJavaScript(`${version}, ${way}`, io, at));
    }
    clients.push(openPython(`python, ${way}`, { url, user: users[clients.length]!, transports }));
  }
  afterAll(async () => {
    for (const client of clients) client.close();
    await running.stop();
  });
  const withConnects = (least: (client: OtherClient) => number) => () =>
    clients.filter((client) => client.connects < least(client)).map(({ name }) => name);
  const all = async (what: string, missing: () => string[]) => {
    await eventually(what, () => missing().length === 0, 20_000).catch((error) => {
      throw new Error(`${error.message}; not of ${missing().join('; ')}`);
    });
  };

  let sent = 0;
  async function sendTen(): Promise<void> {
    for (const last = sent + 10; sent < last; sent += 1) await world.send(ada!, chat.id, String(sent));
  }
  async function allTold(): Promise<void> {
    await all(`all ${sent} are told`, () =>
      clients
        .filter(({ contents }) => contents.length < sent)
        .map(({ name, contents }) => `${name}: ${contents}`),
    );
    const expected = Array.from({ length: sent }, (_, at) => String(at));
    for (const { name, contents } of clients) {
      // Python's has a thread for each event.
      const told = name.startsWith('python') ? contents.toSorted((a, b) => Number(a) - Number(b)) : contents;
      expect([name, told]).toEqual([name, expected]);
    }
  }

  await all('all are shown the chat', () => clients.filter(({ shown }) => !shown).map(({ name }) => name));
  await sendTen();
  await allTold();

  // As at SIGTERM: it closes what it has, and another takes its place.
  await running.stop();
  await sendTen();
  running = await start(port);
  await all(
    'all are back',
    withConnects(() => 2),
  );
  await sendTen();
  await allTold();

  // As at SIGKILL: gone without a word; and tokens are short from here on.
  const { gateway } = running;
  await running.server.stop(true);
  await sendTen();
  await gateway.drain(0);
  ttlSeconds = 2;
  running = await start(port);
  await all(
    'all are back',
    withConnects(() => 3),
  );
  await sendTen();
  await allTold();

  // Their tokens end, which those that are JavaScript hear when they come back.
  ttlSeconds = 900;
  await all(
    'all have come back with another',
    withConnects(() => 4),
  );
  expect(clients.filter(({ name, expired }) => !name.startsWith('python') && expired !== 1)).toEqual([]);
  await sendTen();
  await allTold();
}, 90_000);
