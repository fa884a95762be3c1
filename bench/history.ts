import { readHistory } from '../src/db/queries/history.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { getRequest, loadWindow, startHttpLoad } from './harness/http.ts';
import { asConfabConnects, pgbench, statementOf, withValues } from './harness/pgbench.ts';
import { chatId, populate, settleDatabase, signTokens, userId } from './harness/population.ts';
import { type ConfabProcess, startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

/** As many as a process of Confab has to PostgreSQL. */
const connections = 10;
/** Requests in flight, as in `accept`: enough for all connections to PostgreSQL to have work. */
const inFlight = 64;
const limit = 50;
/** Chats that pages are read of; the others are there to make the tables large. */
const readChats = 64;
const size = 2;

interface Place {
  database: BenchDatabase;
  api: ConfabProcess;
  tokens: string[];
  messagesEach: number;
}

/**
 * Which pages are read. The newest and the oldest of 64 chats are as few, and as near to each other: their times compare the
 * depth alone. Those anywhere in the oldest tenth lie on a tenth of the table.
 */
type Where = 'newest' | 'oldest' | 'deep';

/** A page of history, whatever lies below it. */
export const history: BenchPath = {
  name: 'history',
  title: `pages of ${limit} in 10,000,000 messages and in 100,000, against the same query under pgbench`,
  async run(bench) {
    const { report, servers, defer, quick, rounds, seconds } = bench;
    const many = await place(bench, quick ? 100 : 1_000, 10_000);
    const few = await place(bench, readChats, 1_562);
    const load = await startHttpLoad();
    defer(() => load.end());
    const statement = await statementOf((database) => readHistory(database, '', '', { before: 0 }, limit));

    const pages = ({ api, tokens, messagesEach }: Place, where: Where) => {
      const requests = Array.from({ length: 512 }, (_, at) => {
        const chat = at % readChats;
        const before = {
          newest: '',
          oldest: `&before=${limit + 1}`,
          deep: `&before=${deepSequence(messagesEach)}`,
        };
        // The chats' first members.
        const token = tokens[chat * size] ?? '';
        return getRequest(
          api.port,
          `/chats/${chatId(1 + chat)}/messages?limit=${limit}${before[where]}`,
          token,
        );
      });
      return loadWindow(load, api, {
        port: api.port,
        connections: inFlight,
        seconds: seconds(2.5),
        requests,
        status: 200,
      });
    };
    const floor = async ({ database, messagesEach }: Place, where: Where) => {
      const lines = Array.from(
        { length: readChats },
        (_, chat) => `\\if :chat = ${chat}\n${numbered(statement, chat)}\n\\endif`,
      );
      const from = {
        newest: Number.MAX_SAFE_INTEGER,
        oldest: limit + 1,
        deep: `random(${limit + 1}, ${Math.floor(messagesEach / 10)})`,
      };
      const variables = Object.fromEntries(
        Array.from({ length: readChats }, (_, chat) => [
          [`chat${chat}`, chatId(1 + chat)],
          [`user${chat}`, userId(1 + chat * size)],
        ]).flat() as [string, string][],
      );
      return pgbench(servers, asConfabConnects(database.url), {
        script: `\\set chat random(0, ${readChats - 1})\n\\set from ${from[where]}\n${lines.join('\n')}\n`,
        clients: connections,
        amount: { seconds: Math.ceil(seconds(2.5)) },
        variables,
      }).then(({ perSecond, latencyMs }) => ({ perSecond, latencyMs }));
    };

    const contenders = [
      { name: 'pgbench, newest page of 10M', run: () => floor(many, 'newest') },
      { name: 'api, newest page of 10M', run: () => pages(many, 'newest') },
      { name: 'api, oldest page of 10M', run: () => pages(many, 'oldest') },
      { name: 'api, newest page of 100k', run: () => pages(few, 'newest') },
      { name: 'pgbench, oldest page of 10M', run: () => floor(many, 'oldest'), rounds: 2 },
      { name: 'api, anywhere deep in 10M', run: () => pages(many, 'deep'), rounds: 2 },
      { name: 'pgbench, anywhere deep in 10M', run: () => floor(many, 'deep'), rounds: 2 },
    ];
    await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
    const samples = await alternate(contenders, rounds, report.progress);

    const rate = (name: string) => valuesOf(samples, name, 'perSecond');
    report.table({
      title: `History, pages of ${limit}, ${connections} connections to PostgreSQL, ${inFlight} requests in flight`,
      columns: ['', 'pages/s', 'api CPU µs/page', 'p50 ms'],
      rows: contenders.map(({ name }) => {
        const measured = (measure: string) =>
          name.startsWith('api') ? spreadText(valuesOf(samples, name, measure)) : '';
        return [name, spreadText(rate(name)), measured('cpuUs'), measured('p50Ms')];
      }),
    });
    for (const { name } of contenders) report.figure(`${name}, pages/s`, rate(name));
    const median = (over: string, under: string) => spreadOf(ratiosOf(rate(over), rate(under))).median;
    report.atLeast(
      'pages/s, api / pgbench',
      median('api, newest page of 10M', 'pgbench, newest page of 10M'),
      0.5,
    );
    // Times, so the rates the other way round.
    report.atMost(
      'time, oldest page / newest',
      median('api, newest page of 10M', 'api, oldest page of 10M'),
      1.1,
    );
    report.atMost(
      'time, 10M rows / 100k',
      median('api, newest page of 100k', 'api, newest page of 10M'),
      1.2,
    );
  },
};

/** In the oldest tenth. */
const deepSequence = (messagesEach: number): number =>
  limit + 1 + Math.floor(Math.random() * (messagesEach / 10 - limit - 1));

const numbered = (statement: string, chat: number): string =>
  withValues(statement, [`:chat${chat}`, `:user${chat}`, ':from', String(limit)]).trimEnd();

async function place(bench: Bench, chats: number, messagesEach: number): Promise<Place> {
  bench.report.progress(`${(chats * messagesEach).toLocaleString('en')} messages`);
  const { database, environment } = await populate(bench, {
    users: chats * size,
    rooms: [{ firstChat: 1, chats, size }],
  });
  await seedMessages(database, chats, messagesEach);
  await settleDatabase(database.sql);
  const api = await startConfab(bench, 'api', environment);
  const tokens = await signTokens(environment, 1, readChats * size);
  return { database, api, tokens, messagesEach };
}

/** Rows of one statement of the load: few enough to be sorted in memory. */
const rowsAtOnce = 200_000;

/**
 * In the order of time, chats side by side, as they come in: the messages of a page lie on as many pages of the table.
 * Indexes afterwards, which is faster and leaves them as dense as new ones; and without a log, as it is only read.
 */
async function seedMessages({ sql }: BenchDatabase, chats: number, messagesEach: number): Promise<void> {
  await sql.unsafe('ALTER TABLE messages DROP CONSTRAINT messages_pkey, DROP CONSTRAINT messages_chat_id_id');
  const parts = await sql.unsafe(
    `SELECT relid::regclass AS name FROM pg_partition_tree('messages') WHERE isleaf`,
  );
  for (const { name } of parts) await sql.unsafe(`ALTER TABLE ${name} SET UNLOGGED`);
  const step = Math.ceil(rowsAtOnce / chats);
  for (let from = 1; from <= messagesEach; from += step) {
    await sql.unsafe(
      `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
       SELECT p.id, s, one.id, p.user_id, one.id,
         'Shall we meet at the harbour at seven? I will bring the charts.',
         now() - interval '1 year' + s * interval '1 minute', ${size} + s
       FROM generate_series(${from}, ${Math.min(messagesEach, from + step - 1)}) AS s
       CROSS JOIN (SELECT chat_id AS id, min(user_id::text)::uuid AS user_id FROM chat_participants GROUP BY chat_id) AS p
       CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id WHERE s > 0) one
       ORDER BY s`,
    );
  }
  await sql.begin(async (one) => {
    await one.unsafe(`SET LOCAL maintenance_work_mem = '1GB'`);
    await one.unsafe('ALTER TABLE messages ADD CONSTRAINT messages_pkey PRIMARY KEY (chat_id, sequence)');
    await one.unsafe('ALTER TABLE messages ADD CONSTRAINT messages_chat_id_id UNIQUE (chat_id, id)');
  });
  await sql.unsafe(
    `UPDATE chats SET last_sequence = ${messagesEach}, last_event_sequence = last_event_sequence + ${messagesEach}`,
  );
}
