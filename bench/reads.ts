import { sessionSettings } from '../src/db/connector.ts';
import { chatListStart, listChats } from '../src/db/queries/chats.ts';
import { joinUnread } from '../src/db/queries/membership-columns.ts';
import { readUnreadTotals } from '../src/db/queries/unread-totals.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { loadWindow, readRequest, startHttpLoad, uniqueSequence } from './harness/http.ts';
import { pgbench, statementOf } from './harness/pgbench.ts';
import { chatId, populate, settleDatabase, signTokens, userId } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const readers = 2_000;
const roomSize = 20;
/** As each waits for up to 50 ms. */
const inFlight = 1_024;

const manyChats = 5_000;
/** In each of them: by others, of which the reader has read half, and then by the one who only sends. */
const messagesEach = { others: 40, own: 20 };
/** Of those that are not read to the end. */
const unreadChats = 300;

/** Reading, and what is unread. */
export const reads: BenchPath = {
  name: 'reads',
  title: 'PUT read through one api; lists and totals of a user of 5,000 chats',
  async run(bench) {
    await reading(bench);
    await counting(bench);
  },
};

async function reading(bench: Bench): Promise<void> {
  const { report, defer, rounds, seconds } = bench;
  report.progress('servers and data');
  const { database, environment } = await populate(bench, {
    users: readers,
    rooms: [{ firstChat: 1, chats: readers / roomSize, size: roomSize }],
  });
  await database.sql.unsafe('UPDATE chats SET last_sequence = 1e15, last_event_sequence = 2e15');
  await settleDatabase(database.sql);
  const api = await startConfab(bench, 'api', environment);
  const load = await startHttpLoad();
  defer(() => load.end());
  const tokens = await signTokens(environment, 1, readers);
  const requests = tokens.map((token, at) => readRequest(api.port, 1 + Math.floor(at / roomSize), token));
  const commits = async () => {
    const [row] = await database.sql.unsafe(
      'SELECT sum(n_tup_upd)::float8 AS rows, (SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()) AS commits FROM pg_stat_user_tables WHERE relname = $1',
      ['chat_participants'],
    );
    return row as unknown as { rows: number; commits: number };
  };
  const window = async () => {
    const before = await commits();
    const sample = await loadWindow(load, api, {
      ...{ port: api.port, connections: inFlight, seconds: seconds(4), requests, status: 200 },
      uniqueId: uniqueSequence,
    });
    const after = await commits();
    return { ...sample, perCommit: (after.rows - before.rows) / (after.commits - before.commits) };
  };
  const contenders = [{ name: 'read', run: window }];
  await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
  const samples = await alternate(contenders, rounds, report.progress);
  const measures = ['perSecond', 'cpuUs', 'p50Ms', 'p99Ms', 'perCommit'];
  report.table({
    title: `PUT read, ${inFlight} requests in flight`,
    columns: ['', 'requests/s', 'api CPU µs/request', 'p50 ms', 'p99 ms', 'rows a transaction'],
    rows: [['read', ...measures.map((measure) => spreadText(valuesOf(samples, 'read', measure)))]],
  });
  report.figure('read, requests/s', valuesOf(samples, 'read', 'perSecond'));
  report.figure('read, CPU µs/request', valuesOf(samples, 'read', 'cpuUs'));
  report.atLeast('PUT read/s', spreadOf(valuesOf(samples, 'read', 'perSecond')).median, 5_000);
  report.atLeast('rows a transaction', spreadOf(valuesOf(samples, 'read', 'perCommit')).median, 20);
}

async function counting(bench: Bench): Promise<void> {
  const { report, servers, rounds, seconds } = bench;
  report.progress('5,000 chats');
  // The reader, who only sends, and somebody else.
  const { database } = await populate(bench, {
    users: 3,
    rooms: [{ firstChat: 1, chats: manyChats, size: 3 }],
  });
  await fill(database);
  const list = await statementOf((recorder) => listChats(recorder, '', undefined, chatListStart, 51));
  const totals = await statementOf((recorder) => readUnreadTotals(recorder, ''));
  const counted = joinUnread('me', 'c').replace(/\s+/g, ' ');
  if (!list.includes(counted)) throw new Error('the list does not count as it did');
  const without = list.replace(
    counted,
    'CROSS JOIN (SELECT 0 AS count, NULL::bigint AS first, 0 AS mentions) unread',
  );

  const run = (statement: string, user: number) => async () => {
    const values: Record<string, string> = {
      $1: `'${userId(user)}'`,
      $2: "'infinity'",
      $3: `'${chatListStart.id}'`,
      $4: '51',
    };
    const script = `${statement.replace(/\$\d/g, (place) => values[place] ?? place)};\n`;
    return {
      ...(await pgbench(servers, asConfabConnects(database.url), {
        script,
        clients: 1,
        amount: { seconds: Math.ceil(seconds(2)) },
      })),
    };
  };
  const who = { 'user of 5,000 chats': 1, 'who has sent 100,000': 2 };
  const contenders = Object.entries(who).flatMap(([name, user]) => [
    { name: `${name}: list`, run: run(list, user) },
    { name: `${name}: list without counts`, run: run(without, user) },
    { name: `${name}: totals`, run: run(totals, user) },
  ]);
  await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
  const samples = await alternate(contenders, rounds, report.progress);
  const ms = (name: string) => valuesOf(samples, name, 'latencyMs');
  report.table({
    title: 'What is unread, one connection to PostgreSQL',
    columns: ['', 'ms'],
    rows: contenders.map(({ name }) => [name, spreadText(ms(name))]),
  });
  for (const name of Object.keys(who)) {
    const ratio = spreadOf(ratiosOf(ms(`${name}: list`), ms(`${name}: list without counts`))).median;
    report.atMost(`${name}: list, with counts / without`, ratio, 2);
    report.atMost(`${name}: totals, ms`, spreadOf(ms(`${name}: totals`)).median, 30);
  }
}

const asConfabConnects = (url: string): string => {
  const settings = Object.entries(sessionSettings).map(([name, value]) => `-c ${name}=${value}`);
  return `${url}?options=${encodeURIComponent(settings.join(' '))}`;
};

/** In the order of time, with the chats side by side. */
async function fill({ sql }: BenchDatabase): Promise<void> {
  const { others, own } = messagesEach;
  const count = others + own;
  for (let sequence = 1; sequence <= count; sequence += 1) {
    await sql.unsafe(
      `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
       SELECT id, $1::int, gen_random_uuid(), $2::text::uuid, gen_random_uuid(), repeat('what somebody says ', 4), now(), $1::int + 3
       FROM chats`,
      [sequence, userId(sequence > others ? 2 : 3)],
    );
  }
  await sql.unsafe(
    `UPDATE chats SET last_sequence = ${count}, last_event_sequence = ${count} + 3, last_activity_at = now() - random() * interval '1 day'`,
  );
  await sql.unsafe(
    `UPDATE chat_participants SET last_read_sequence = CASE
       WHEN user_id = $1::text::uuid AND chat_id <= $2::text::uuid THEN ${others / 2}
       WHEN user_id = $3::text::uuid THEN ${others} ELSE ${count} END`,
    [userId(1), chatId(unreadChats), userId(2)],
  );
  // As the first looks leave it: over a run of own messages the marker moves.
  await sql.unsafe(
    `SELECT count(*) FROM (SELECT array_agg(user_id) AS users, array_agg(chat_id) AS chats, array_agg(NULL::bigint) AS none
       FROM chat_participants WHERE user_id = $1::text::uuid) a,
     write_memberships(a.users, a.chats, a.none, a.none, a.none, NULL)`,
    [userId(2)],
  );
  await settleDatabase(sql);
}
