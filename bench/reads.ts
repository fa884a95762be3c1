import { mostUnread } from '../src/db/queries/membership-columns.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { loadWindow, readRequest, startHttpLoad, uniqueSequence } from './harness/http.ts';
import { populate, settleDatabase, signTokens, userId } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { spreadOf } from './harness/statistics.ts';

const readers = 2_000;
const roomSize = 20;
/** As each waits for up to 50 ms. */
const inFlight = 1_024;
/** In each chat: all are read one by one, with more behind each than are counted. */
const messagesEach = 1_500;

/** Reading one message after the other, while somebody holds the rows of all chats. */
export const reads: BenchPath = {
  name: 'reads',
  title: `PUT read through one api, ${mostUnread} unread messages and more behind each; all chats are locked`,
  async run(bench) {
    const { report, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const { database, environment } = await populate(bench, {
      users: readers,
      rooms: [{ firstChat: 1, chats: readers / roomSize, size: roomSize }],
    });
    await fill(database);
    const api = await startConfab(bench, 'api', environment);
    const load = await startHttpLoad();
    defer(() => load.end());
    const tokens = await signTokens(environment, 1, readers);
    const requests = tokens.map((token, at) => readRequest(api.port, 1 + Math.floor(at / roomSize), token));
    const measure = async () => {
      const before = await written(database);
      const sample = await loadWindow(load, api, {
        ...{ port: api.port, connections: inFlight, seconds: seconds(4), requests, status: 200 },
        uniqueId: uniqueSequence,
      });
      const after = await written(database);
      if (after.leastUnread < mostUnread) throw new Error('there is too little left to read');
      return { ...sample, perTransaction: sample.answers / (after.transactions - before.transactions) };
    };
    const window = () =>
      database.sql.begin(async (holder) => {
        await holder.unsafe('SELECT FROM chats FOR UPDATE');
        return measure();
      });
    const contenders = [{ name: 'read', run: window }];
    await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
    const samples = await alternate(contenders, rounds, report.progress);

    const values = (name: string) => valuesOf(samples, 'read', name);
    report.table({
      title: `PUT read, ${inFlight} requests in flight`,
      columns: ['', 'requests/s', 'api CPU µs/request', 'p50 ms', 'p99 ms', 'reads a transaction'],
      rows: [
        [
          'read',
          ...['perSecond', 'cpuUs', 'p50Ms', 'p99Ms', 'perTransaction'].map((name) =>
            spreadText(values(name)),
          ),
        ],
      ],
    });
    report.figure('read, requests/s', values('perSecond'));
    report.figure('read, CPU µs/request', values('cpuUs'));
    report.atLeast('PUT read/s', spreadOf(values('perSecond')).median, 5_000);
    report.atLeast('reads a transaction', spreadOf(values('perTransaction')).median, 20);
  },
};

/** Sequences begin at the number that a request of the load has. */
async function fill({ sql }: BenchDatabase): Promise<void> {
  const last = Number(uniqueSequence) + messagesEach - 1;
  await sql.unsafe(
    `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
     SELECT c.id, s, gen_random_uuid(), $1::text::uuid, gen_random_uuid(), 'Shall we meet at the harbour at seven?', now(), s + ${roomSize}
     FROM generate_series(${uniqueSequence}, ${last}) s, chats c ORDER BY s`,
    // Nobody's own: it is unread for all but one.
    [userId(1)],
  );
  await sql.unsafe(`UPDATE chats SET last_sequence = ${last}, last_event_sequence = ${last + roomSize}`);
  await sql.unsafe(`UPDATE chat_participants SET last_read_sequence = ${uniqueSequence} - 1`);
  await settleDatabase(sql);
}

/** How many transactions have written something since the beginning, and what is left to read. */
async function written({ sql }: BenchDatabase) {
  const [row] = await sql.unsafe<{ transactions: number; leastUnread: number }[]>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::float8 AS transactions,
       min(c.last_sequence - p.last_read_sequence)::float8 AS "leastUnread"
     FROM chats c JOIN chat_participants p ON p.chat_id = c.id`,
  );
  if (!row) throw new Error('nobody takes part');
  return row;
}
