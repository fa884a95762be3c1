import { alternate, type Contender, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, type Child, nodePeer, startChild } from './harness/child.ts';
import { populate } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import { confabHellos, peerHellos, protocols } from './harness/sockets.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const storm = 3_000;
const chatSize = 10;
const concurrency = 500;
/** Compiled code first: from the fourth storm on a connect costs about the same. */
const warmRounds = 3;

/** Everybody comes at once, with sessions that Redis does not know. */
export const connect: BenchPath = {
  name: 'connect',
  title: `${storm} connects, ${concurrency} at once, token check and joins, against bare upgrades`,
  async run(bench) {
    const { report, defer, rounds } = bench;
    report.progress('servers and data');
    // Other users in every round: no fact of theirs is known yet.
    const users = storm * (rounds + warmRounds);
    const { environment } = await populate(bench, {
      users,
      rooms: [{ firstChat: 1, chats: users / chatSize, size: chatSize }],
    });
    const hellos = await confabHellos(environment, users);
    const child = async (name: string, command: string[], env: Record<string, string> = {}) => {
      const started = await startChild({ name, command, env });
      defer(() => started.end());
      return started;
    };
    const bare = await child('bare Bun', bunChild('bare-sockets.ts'));
    const gateway = await child('Confab', bunChild('gateway.ts'), {
      ...environment,
      BENCH_SUBSCRIBER: 'redis',
    });
    const bunEngine = await child('Socket.IO on bun-engine', bunChild('peer.ts'));
    const node = await child('Socket.IO on Node', await nodePeer());
    const sockets = await child('sockets', bunChild('sockets.ts'));

    const window = async (server: Child, kind: 'upgrade' | 'peer' | 'confab', names: string[]) => {
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
    /** They check no token, ask no database and say nothing when it is done. */
    const strangers = peerHellos(Array.from({ length: storm }, (_, at) => [Math.floor(at / chatSize)]));
    const contenders: Contender[] = [
      { name: 'bare upgrades', run: () => window(bare, 'upgrade', hellos.slice(0, storm)) },
      {
        name: 'Confab',
        run: () => {
          const names = hellos.slice(round * storm, (round + 1) * storm);
          round += 1;
          return window(gateway, 'confab', names);
        },
      },
      { name: 'Socket.IO on bun-engine', run: () => window(bunEngine, 'peer', strangers) },
      { name: 'Socket.IO on Node', run: () => window(node, 'peer', strangers), rounds: 2 },
    ];
    await alternate(contenders, warmRounds, (text) => report.progress(`warming, ${text}`));
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
