import { type Address, partitionChats, spread } from './harness/addresses.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { storeFromFilledQueue } from './harness/filled-queue.ts';
import { populate } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import { type BenchDatabase, type Environment, partitionCount } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const users = 10_000;
const size = 2;

interface Place {
  database: BenchDatabase;
  environment: Environment;
  partitions: Address[][];
}

/** Storing, by how many chats there are and how the traffic lies on them. */
export const chats: BenchPath = {
  name: 'chats',
  title: 'store rate with 1,000 chats, with 1,000,000, and with all traffic in one',
  async run(bench) {
    const { report, quick, rounds } = bench;
    const few = await place(bench, 1_000);
    const many = await place(bench, quick ? 50_000 : 1_000_000);
    const each = quick ? 1_500 : 4_000;
    const store = ({ database, environment }: Place, addresses: Address[]) =>
      storeFromFilledQueue(bench, database, environment, addresses);
    const [one] = few.partitions.flat();
    if (!one) throw new Error('there are no chats');

    const contenders = [
      { name: '1,000 chats', run: () => store(few, spread(few.partitions, each)) },
      { name: '1,000,000 chats', run: () => store(many, spread(many.partitions, each)) },
      { name: 'all in one chat', run: () => store(few, Array<Address>(each * partitionCount).fill(one)) },
    ];
    const samples = await alternate(contenders, rounds, report.progress);

    const rate = (name: string) => valuesOf(samples, name, 'perSecond');
    report.table({
      title: 'Storing, by chats',
      columns: ['', 'messages/s', 'worker CPU µs/message', 'PostgreSQL CPU µs/message'],
      rows: contenders.map(({ name }) => [
        name,
        spreadText(rate(name)),
        spreadText(valuesOf(samples, name, 'workerCpuUs')),
        spreadText(valuesOf(samples, name, 'postgresCpuUs')),
      ]),
    });
    for (const { name } of contenders) report.figure(`${name}, messages/s`, rate(name));
    const ratio = (over: string) => spreadOf(ratiosOf(rate(over), rate('1,000 chats'))).median;
    report.atLeast('messages/s, 1,000,000 chats / 1,000', ratio('1,000,000 chats'), 0.9);
    report.atLeast('messages/s, one chat / uniform', ratio('all in one chat'), 0.7);
  },
};

async function place(bench: Bench, count: number): Promise<Place> {
  bench.report.progress(`${count.toLocaleString('en')} chats`);
  const place = await populate(bench, { users, rooms: [{ firstChat: 1, chats: count, size }] });
  return { ...place, partitions: partitionChats(count, size, users) };
}
