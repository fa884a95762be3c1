import type { Role } from '../harness/process.ts';
import { treeCpuMicroseconds } from '../harness/usage.ts';
import type { ChattersResult } from './children/chatters.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import type { Child } from './harness/child.ts';
import { costOfProcesses } from './harness/cost-of-processes.ts';
import { startChatters, users } from './harness/deployment.ts';
import { bytesOfMessage } from './harness/message-bytes.ts';
import { populate } from './harness/population.ts';
import { type ConfabProcess, startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const gatewayCounts = [1, 2, 4];
/** Under way at the same time, as in `pipeline`. */
const slots = 128;
const mostGrowth = 1.1;
/** Longer than the longest time between two beats, with which workers share the partitions anew. */
const shareSeconds = 4;
/** A worker that has just been started compiles for some seconds what it runs. */
const warmSeconds = 12;

/** What grows with the number of processes, and what with the number of messages: the factors of docs/capacity.md. */
export const scaling: BenchPath = {
  name: 'scaling',
  title:
    'messages over 1, 2 and 4 gateways, with 1 and 2 workers; what a process and a message take of the servers',
  onlyByName: true,
  async run(bench) {
    const { report } = bench;
    report.progress('servers and data');
    const all = users * gatewayCounts.length;
    const { database, environment } = await populate(bench, {
      users: all,
      rooms: [{ firstChat: 1, chats: all / 2, size: 2 }],
    });
    const start = (role: Role) => startConfab(bench, role, environment);
    const [api, worker, first] = [await start('api'), await start('worker'), await start('gateway')];
    await costOfProcesses(bench, database, environment);

    report.progress('gateways and their users');
    const gateways = [first];
    while (gateways.length < Math.max(...gatewayCounts)) gateways.push(await start('gateway'));
    // Who talks over several has each of the two of a chat at another one.
    const talkers: Child[] = [];
    for (const [at, count] of gatewayCounts.entries()) {
      const gatewayPorts = gateways.slice(0, count).map(({ port }) => port);
      const ports = { apiPort: api.port, gatewayPorts, firstUser: 1 + at * users };
      talkers.push(await startChatters(bench, environment, ports));
    }
    const [chatters] = talkers;
    if (!chatters) throw new Error('nobody talks');
    await overGateways(bench, { api, worker, gateways, database }, talkers);
    await overWorkers(bench, { api, worker, gateways, database }, chatters, () => start('worker'));
    await bytesOfMessage(bench, { database, environment, chatters, worker }, () => start('worker'));
  },
};

interface Measured {
  api: ConfabProcess;
  worker: ConfabProcess;
  gateways: readonly ConfabProcess[];
  database: BenchDatabase;
}

const total = 'in all';

/** Processor time of a message, by what took it. */
async function window(
  { servers, seconds }: Bench,
  chatters: Child,
  {
    api,
    workers,
    gateways,
    database: { sql },
  }: Omit<Measured, 'worker'> & { workers: readonly ConfabProcess[] },
): Promise<Record<string, number>> {
  const sum = (some: readonly ConfabProcess[]) => some.reduce((us, each) => us + each.cpuMicroseconds(), 0);
  const cpu = (): Record<string, number> => ({
    api: api.cpuMicroseconds(),
    workers: sum(workers),
    gateways: sum(gateways),
    PostgreSQL: treeCpuMicroseconds(servers.postgres.pid()),
    RabbitMQ: treeCpuMicroseconds(servers.rabbitmq.pid()),
    Redis: treeCpuMicroseconds(servers.redis.pid()),
  });
  const commits = async () => {
    const [row] =
      await sql`SELECT xact_commit::float8 AS count FROM pg_stat_database WHERE datname = current_database()`;
    return Number(row?.count);
  };
  await chatters.call('renew');
  const commitsBefore = await commits();
  const before = cpu();
  const { delivered } = await chatters.call<ChattersResult>('closed', { slots, seconds: seconds(4) });
  const after = cpu();
  const sample: Record<string, number> = { [total]: 0 };
  for (const name of Object.keys(after)) {
    sample[name] = ((after[name] ?? 0) - (before[name] ?? 0)) / delivered;
    sample[total] = (sample[total] ?? 0) + (sample[name] ?? 0);
  }
  // The fewer, the larger are the batches.
  sample['commits a message'] = ((await commits()) - commitsBefore) / delivered;
  return sample;
}

async function compare(
  bench: Bench,
  title: string,
  contenders: readonly { name: string; run(): Promise<Record<string, number>> }[],
): Promise<void> {
  const { report, rounds } = bench;
  await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
  const samples = await alternate(contenders, rounds, report.progress);
  const values = (name: string, measure: string) => valuesOf(samples, name, measure);
  const [few, ...more] = contenders.map(({ name }) => name);
  if (few === undefined) return;
  const measures = Object.keys(samples.get(few)?.[0] ?? {});
  report.table({
    title: `${title}: CPU µs a message`,
    columns: ['', ...measures],
    rows: contenders.map(({ name }) => [
      name,
      ...measures.map((measure) => spreadText(values(name, measure))),
    ]),
  });
  for (const name of [few, ...more]) report.figure(`${name}, CPU µs a message`, values(name, total));
  for (const name of more) {
    const ratio = spreadOf(ratiosOf(values(name, total), values(few, total))).median;
    report.atMost(`CPU a message, ${name} / ${few}`, ratio, mostGrowth);
  }
}

async function overGateways(bench: Bench, measured: Measured, talkers: readonly Child[]): Promise<void> {
  const { worker, ...rest } = measured;
  const contenders = talkers.map((chatters, at) => ({
    name: `gateways: ${gatewayCounts[at]}`,
    run: () => window(bench, chatters, { ...rest, workers: [worker] }),
  }));
  await compare(bench, 'Over several gateways', contenders);
}

async function overWorkers(
  bench: Bench,
  { worker, ...rest }: Measured,
  chatters: Child,
  start: () => Promise<ConfabProcess>,
): Promise<void> {
  const one = () => window(bench, chatters, { ...rest, workers: [worker] });
  /** What is sent while they share the partitions is not counted. */
  const shared = async (seconds: number) => {
    await chatters.call('renew');
    await chatters.call('closed', { slots, seconds });
  };
  const two = async () => {
    const second = await start();
    await shared(warmSeconds);
    const sample = await window(bench, chatters, { ...rest, workers: [worker, second] });
    await second.stop();
    await shared(shareSeconds);
    return sample;
  };
  await compare(bench, 'With two workers', [
    { name: 'workers: 1', run: one },
    { name: 'workers: 2', run: two },
  ]);
}
