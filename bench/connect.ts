import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, type Child, startChild } from './harness/child.ts';
import { confabHellos, protocols } from './harness/fan-out.ts';
import { seedChats, seedUsers, settleDatabase } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const storm = 3_000;
const chatSize = 10;
const concurrency = 500;

/** Everybody comes at once, with sessions that Redis does not know. */
export const connect: BenchPath = {
  name: 'connect',
  title: `${storm} connects, ${concurrency} at once, token check and joins, against bare upgrades`,
  async run(bench) {
    const { report, servers, defer, rounds } = bench;
    report.progress('servers and data');
    const database = await servers.createDatabase();
    defer(() => database.drop());
    // Other users in every round, and one round to warm: no fact of theirs is known yet.
    const users = storm * (rounds + 1);
    await seedUsers(database.sql, 1, users);
    await seedChats(database.sql, { from: 1, count: users / chatSize, size: chatSize, firstUser: 1 });
    await settleDatabase(database.sql);
    const environment = await servers.environment(database);
    const hellos = await confabHellos(environment, users);
    const child = async (name: string, file: string, env: Record<string, string> = {}) => {
      const started = await startChild({ name, command: bunChild(file), env });
      defer(() => started.end());
      return started;
    };
    const bare = await child('bare Bun', 'bare-sockets.ts');
    const gateway = await child('Confab', 'gateway.ts', { ...environment, BENCH_SUBSCRIBER: 'redis' });
    const sockets = await child('sockets', 'sockets.ts');

    const window = async (server: Child, kind: 'upgrade' | 'confab', names: string[]) => {
      const queriesBefore = kind === 'confab' ? await server.call<number>('queries') : 0;
      const port = await server.call<number>('port');
      const cpu = server.cpuMicroseconds();
      const { seconds, p50Ms, p99Ms } = await sockets.call<{ seconds: number; p50Ms: number; p99Ms: number }>(
        'connect',
        { port, hellos: names, concurrency, ...protocols[kind] },
      );
      const cpuUs = (server.cpuMicroseconds() - cpu) / names.length;
      const queries = kind === 'confab' ? (await server.call<number>('queries')) - queriesBefore : 0;
      await sockets.call('closeAll');
      // The leaving is not part of it.
      await Bun.sleep(300);
      return { perSecond: names.length / seconds, cpuUs, p50Ms, p99Ms, queries: queries / names.length };
    };
    let round = 0;
    const contenders = [
      { name: 'bare upgrades', run: () => window(bare, 'upgrade', hellos.slice(0, storm)) },
      {
        name: 'Confab',
        run: () => {
          const names = hellos.slice(round * storm, (round + 1) * storm);
          round += 1;
          return window(gateway, 'confab', names);
        },
      },
    ];
    await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
    const samples = await alternate(contenders, rounds, report.progress);

    const values = (name: string, measure: string) => valuesOf(samples, name, measure);
    report.table({
      title: 'Connect storm',
      columns: ['', 'connects/s', 'CPU µs/connect', 'p50 ms', 'p99 ms', 'queries/connect'],
      rows: contenders.map(({ name }) => [
        name,
        ...['perSecond', 'cpuUs', 'p50Ms', 'p99Ms', 'queries'].map((measure) =>
          spreadText(values(name, measure)),
        ),
      ]),
    });
    for (const { name } of contenders) {
      report.figure(`${name}, connects/s`, values(name, 'perSecond'));
      report.figure(`${name}, CPU µs/connect`, values(name, 'cpuUs'));
    }
    report.atLeast(
      'connects/s, Confab / bare upgrades',
      spreadOf(ratiosOf(values('Confab', 'perSecond'), values('bare upgrades', 'perSecond'))).median,
      0.4,
    );
    report.atMost('queries a connect', spreadOf(values('Confab', 'queries')).median, 0.05);
  },
};
