import { storeMessages } from '../src/db/queries/store-messages.ts';
import { type Address, partitionChats, pick, spread } from './harness/addresses.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { content, storeFromFilledQueue } from './harness/filled-queue.ts';
import { pgbench, statementOf } from './harness/pgbench.ts';
import { chatId, populate, userId } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import { type BenchDatabase, partitionCount } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const chats = 1_000;
const membersEach = 10;
const batchSize = 128;

/** The worker's path from a filled queue, against the same call driven by pgbench. */
export const store: BenchPath = {
  name: 'store',
  title: `one worker from a filled queue; ${chats} chats, batches of ${batchSize}, ${partitionCount} connections`,
  async run(bench) {
    const { report, servers, quick, rounds } = bench;
    const batches = quick ? 20 : 128;
    report.progress('servers and data');
    const { database, environment } = await populate(bench, {
      users: chats * membersEach,
      rooms: [{ firstChat: 1, chats, size: membersEach }],
    });
    const partitions = partitionChats(chats, membersEach);
    const script = await floorScript();

    // The first run of each warms what is read first and is not counted.
    let floorBatch = 0;
    const floor = async (transactions: number) => {
      await makeFloorBatches(database, partitions, floorBatch, transactions);
      const { perSecond } = await pgbench(servers, database.url, {
        script,
        clients: partitionCount,
        amount: { transactions },
        variables: { i: floorBatch - 1 },
      });
      floorBatch += transactions;
      return { perSecond: perSecond * batchSize };
    };
    const single = () =>
      storeFromFilledQueue(bench, database, environment, spread(partitions, batches * 8), {
        CHAT_WORKER_BATCH_SIZE: '1',
      });
    const product = () =>
      storeFromFilledQueue(bench, database, environment, spread(partitions, batches * batchSize));

    await createFloorTable(database);
    await floor(4);
    const samples = await alternate(
      [
        { name: 'pgbench', run: () => floor(batches) },
        { name: 'worker', run: product },
        { name: 'one message a commit', run: single, rounds: 3 },
      ],
      rounds,
      report.progress,
    );

    const rate = (name: string) => valuesOf(samples, name, 'perSecond');
    const ratios = ratiosOf(rate('worker'), rate('pgbench'));
    const gains = ratiosOf(rate('worker'), rate('one message a commit'));
    const cpu = (name: string, measure: string) => spreadText(valuesOf(samples, name, measure));
    report.table({
      title: 'Storing; PostgreSQL with fsync and synchronous_commit on',
      columns: ['', 'messages/s', 'worker CPU µs/message', 'PostgreSQL CPU µs/message'],
      rows: [
        ['pgbench, the same call', spreadText(rate('pgbench')), '', ''],
        ['worker', spreadText(rate('worker')), cpu('worker', 'workerCpuUs'), cpu('worker', 'postgresCpuUs')],
        [
          'worker, one message a commit',
          spreadText(rate('one message a commit')),
          cpu('one message a commit', 'workerCpuUs'),
          cpu('one message a commit', 'postgresCpuUs'),
        ],
      ],
    });
    for (const name of samples.keys()) report.figure(`${name}, messages/s`, rate(name));
    report.figure('worker, CPU µs/message', valuesOf(samples, 'worker', 'workerCpuUs'));
    report.atLeast('messages/s, worker / pgbench', spreadOf(ratios).median, 0.75);
    report.atLeast('messages/s, batches / one message a commit', spreadOf(gains).median, 8);
  },
};

/** In the order of the statement's parameters. */
const columns = ['chat_ids', 'sender_ids', 'ids', 'client_message_ids', 'contents', 'sent_ats'];

/** The worker's own statement; pgbench's variables are numbers, so the batches lie in a table and are read by their number. */
async function floorScript(): Promise<string> {
  const statement = await statementOf((database) => storeMessages(database, []));
  // What is beyond them a plain text does not have.
  const call = statement.replace(/\$(\d+)((?:::[a-z]+\[\])+)/g, (_, place, types) => {
    const column = columns[Number(place) - 1];
    return column ? `b.${column}` : `NULL${types}`;
  });
  const script = `${call.replace('FROM store_messages', 'FROM bench_batches b, store_messages')}
WHERE b.client = :client_id AND b.number = :i;`;
  return `\\set i :i + 1\n${script}\n`;
}

async function createFloorTable({ sql }: BenchDatabase): Promise<void> {
  await sql.unsafe(`CREATE TABLE bench_batches (
    client int, number int, chat_ids uuid[], sender_ids uuid[], ids uuid[], client_message_ids uuid[], contents text[],
    sent_ats timestamptz[], PRIMARY KEY (client, number)
  )`);
  for (const column of columns) {
    await sql.unsafe(`ALTER TABLE bench_batches ALTER ${column} SET STORAGE EXTERNAL`);
  }
}

async function makeFloorBatches(
  { sql }: BenchDatabase,
  partitions: readonly Address[][],
  from: number,
  count: number,
): Promise<void> {
  await sql`TRUNCATE bench_batches`;
  for (const [client, addresses] of partitions.entries()) {
    for (let number = from; number < from + count; number += 1) {
      const batch = Array.from({ length: batchSize }, () => pick(addresses));
      const now = new Date().toISOString();
      await sql.unsafe(
        `INSERT INTO bench_batches VALUES
         ($1, $2, $3::text[]::uuid[], $4::text[]::uuid[], $5::text[]::uuid[], $6::text[]::uuid[], $7::text[], $8::text[]::timestamptz[])`,
        [
          client,
          number,
          batch.map(({ chat }) => chatId(chat)),
          batch.map(({ user }) => userId(user)),
          batch.map(() => crypto.randomUUID()),
          batch.map(() => crypto.randomUUID()),
          batch.map(() => content),
          batch.map(() => now),
        ],
        { prepare: true },
      );
    }
  }
}
