import type { ChattersOptions, ChattersResult } from './children/chatters.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import {
  getRequest,
  loadWindow,
  reactionRequest,
  sendRequest,
  startHttpLoad,
  uniqueId,
} from './harness/http.ts';
import { chatId, populate, settleDatabase, signTokens, userId } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const people = 2_000;
/** Above which a room is told less often. */
const liveMax = 100;
const big = 1;
const small = 2;
const plain = 3;
const reacted = 4;
const reactionsASecond = 1_000;
const sendsASecond = 10;
/** Each waits for as long as a big room gathers. */
const inFlight = 800;
const pageSize = 50;
const keys = ['👍', '❤️'];
/** To each message of a page, by as many in turn of those who read it. */
const reactionsEach = 3;
const readers = 10;

/** One message that everybody reacts to, and pages of messages that all have reactions. */
export const reactions: BenchPath = {
  name: 'reactions',
  title: `${reactionsASecond} reactions a second to one message of a room of ${people}, and pages of history with some on every message`,
  async run(bench) {
    const { report, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const { database, environment } = await populate(bench, {
      users: people,
      rooms: [
        { firstChat: big, chats: 1, size: people },
        ...[small, plain, reacted].map((firstChat) => ({ firstChat, chats: 1, size: liveMax })),
      ],
    });
    for (const chat of [big, small, plain, reacted]) await say(database, chat);
    await reactToAll(database);
    await settleDatabase(database.sql);
    const api = await startConfab(bench, 'api', environment);
    await startConfab(bench, 'worker', environment);
    const gateway = await startConfab(bench, 'gateway', environment);
    const tokens = await signTokens(environment, 1, people);
    const hellos = await confabHellos(environment, people);
    await connectSockets(bench, gateway.port, 'confab', hellos.slice(2));
    const chatters = await startChild({ name: 'chatters', command: bunChild('chatters.ts') });
    defer(() => chatters.end());
    await chatters.call('connect', {
      ...{ apiPort: api.port, gatewayPorts: [gateway.port], hellos: hellos.slice(0, 2), uniqueId },
      ...{ requests: tokens.slice(0, 1).map((token) => sendRequest(api.port, big, token)), connections: 16 },
    } satisfies ChattersOptions);
    const load = await startHttpLoad();
    defer(() => load.end());

    const windows = new Map<number, number>();
    /** Everybody in turn sets one, and half of the others take theirs back; in the next window the other way round. */
    const storm = async (chat: number, size: number, wanted: number) => {
      windows.set(chat, (windows.get(chat) ?? 0) + 1);
      const methods =
        (windows.get(chat) ?? 0) % 2 === 1 ? (['PUT', 'DELETE'] as const) : (['DELETE', 'PUT'] as const);
      const requests = tokens
        .slice(0, size)
        .flatMap((token, at) =>
          [token, tokens[(at + size / 2) % size] ?? ''].map((of, which) =>
            reactionRequest(api.port, methods[which] ?? 'PUT', messagePath(chat), of),
          ),
        );
      const before = await numbersOf(database, chat);
      const options = { port: api.port, connections: inFlight, seconds: wanted, requests, status: 200 };
      const sample = await loadWindow(load, api, { ...options, aSecond: reactionsASecond });
      const after = await numbersOf(database, chat);
      const took = sample.answers / sample.perSecond;
      return {
        ...sample,
        // Those asked for while it lasted; the last are answered later.
        perSecond: sample.answers / wanted,
        // From the first to the last: between them is one pause less than there are events.
        events: (after - before - 1) / took,
      };
    };
    const length = seconds(6);
    const sends = async () => {
      const { p50Ms, p99Ms } = await chatters.call<ChattersResult>('open', {
        ...{ aSecond: sendsASecond, seconds: length },
      });
      return { p50Ms, p99Ms };
    };
    const pages = (chat: number) => () =>
      loadWindow(load, api, {
        ...{ port: api.port, connections: 64, seconds: seconds(2.5), status: 200 },
        requests: tokens
          .slice(0, readers)
          .map((token) => getRequest(api.port, `/chats/${chatId(chat)}/messages?limit=${pageSize}`, token)),
      });
    const contenders = [
      { name: 'sends', run: sends },
      {
        name: 'sends in the storm',
        run: async () => {
          const [stormed, sent] = await Promise.all([storm(big, people, length), sends()]);
          return { ...sent, events: stormed.events, perSecond: stormed.perSecond, cpuUs: stormed.cpuUs };
        },
      },
      { name: 'a room of 100', run: () => storm(small, liveMax, seconds(3)) },
      { name: 'plain pages', run: pages(plain) },
      { name: 'pages with reactions', run: pages(reacted) },
    ];
    await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
    const samples = await alternate(contenders, rounds, report.progress);

    const values = (name: string, measure: string) => valuesOf(samples, name, measure);
    report.table({
      title: `One message of a room of ${people}, ${sendsASecond} sends a second to it`,
      columns: ['', 'p50 ms', 'p99 ms', 'reactions/s', 'api CPU µs/reaction', 'events/s'],
      rows: [
        ['sends', ...['p50Ms', 'p99Ms'].map((measure) => spreadText(values('sends', measure))), '', '', ''],
        [
          'sends in the storm',
          ...['p50Ms', 'p99Ms', 'perSecond', 'cpuUs', 'events'].map((measure) =>
            spreadText(values('sends in the storm', measure)),
          ),
        ],
        [
          'reactions in a room of 100',
          ...['p50Ms', 'p99Ms', 'perSecond', 'cpuUs', 'events'].map((measure) =>
            spreadText(values('a room of 100', measure)),
          ),
        ],
      ],
    });
    report.table({
      title: `Pages of ${pageSize}, with ${reactionsEach} reactions to every message, a third of them with one of the reader's`,
      columns: ['', 'pages/s', 'api CPU µs/page', 'p50 ms'],
      rows: ['plain pages', 'pages with reactions'].map((name) => [
        name,
        ...['perSecond', 'cpuUs', 'p50Ms'].map((measure) => spreadText(values(name, measure))),
      ]),
    });
    const median = (over: number[], under: number[]) => spreadOf(ratiosOf(over, under)).median;
    const stormed = values('sends in the storm', 'perSecond');
    report.figure('reactions/s', stormed);
    // Less would be no such storm.
    report.atLeast(
      `reactions/s, of ${reactionsASecond} that were due`,
      Math.min(...stormed),
      0.95 * reactionsASecond,
    );
    report.atMost(
      'p99 of sends, in the storm / without',
      median(values('sends in the storm', 'p99Ms'), values('sends', 'p99Ms')),
      2,
    );
    report.atMost('events/s of the big room', Math.max(...values('sends in the storm', 'events')), 2);
    report.atMost('events/s of a room of 100', Math.max(...values('a room of 100', 'events')), 20);
    report.atMost(
      'time of a page, with reactions / plain',
      median(values('plain pages', 'perSecond'), values('pages with reactions', 'perSecond')),
      1.5,
    );
  },
};

const messageId = (chat: number, sequence: number): string => chatId(chat * 1_000 + sequence);
const messagePath = (chat: number): string => `/chats/${chatId(chat)}/messages/${messageId(chat, 1)}`;

/** What changed of the chat beside its messages. */
async function numbersOf({ sql }: BenchDatabase, chat: number): Promise<number> {
  const [row] = await sql.unsafe(
    'SELECT (last_event_sequence - last_sequence)::int AS changes FROM chats WHERE id = $1::text::uuid',
    [chatId(chat)],
  );
  return Number(row?.changes);
}

async function say({ sql }: BenchDatabase, chat: number): Promise<void> {
  for (let sequence = 1; sequence <= pageSize; sequence += 1) {
    await sql.unsafe(
      `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
       SELECT $1::text::uuid, $2::int, $3::text::uuid, $4::text::uuid, gen_random_uuid(),
         'Shall we meet at the harbour at seven? I will bring the charts.', now(), last_event_sequence + 1
       FROM chats WHERE id = $1::text::uuid`,
      [chatId(chat), sequence, messageId(chat, sequence), userId(1)],
    );
    await sql.unsafe(
      `UPDATE chats SET last_sequence = last_sequence + 1, last_event_sequence = last_event_sequence + 1
       WHERE id = $1::text::uuid`,
      [chatId(chat)],
    );
  }
}

async function reactToAll({ sql }: BenchDatabase): Promise<void> {
  for (let sequence = 1; sequence <= pageSize; sequence += 1) {
    const users = Array.from({ length: reactionsEach }, (_, at) => userId(1 + ((sequence + at) % readers)));
    await sql.unsafe(
      `SELECT count(*) FROM react($1::text::uuid, array_fill($2::text::uuid, ARRAY[${reactionsEach}]), $3::text[]::uuid[], $4::text[],
         array_fill(true, ARRAY[${reactionsEach}]), 20)`,
      [
        chatId(reacted),
        messageId(reacted, sequence),
        users,
        users.map((_, at) => keys[at % keys.length] ?? ''),
      ],
    );
  }
}
