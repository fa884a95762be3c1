import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { membershipsOf, populate } from './harness/population.ts';
import { spreadText } from './harness/report.ts';
import { bareHellos, confabHellos, connectSockets, peerHellos } from './harness/sockets.ts';
import { spreadOf } from './harness/statistics.ts';

const half = 5_000;
const users = 2 * half;
const chatSize = 10;
const settleMs = 500;

/** Resident memory from 5,000 idle sockets to 10,000. */
export const memory: BenchPath = {
  name: 'memory',
  title: `resident memory an idle connection in one chat of ${chatSize}, from ${half} sockets to ${users}`,
  async run(bench) {
    const { report, rounds } = bench;
    report.progress('servers and data');
    const population = { users, rooms: [{ firstChat: 1, chats: users / chatSize, size: chatSize }] };
    const { environment } = await populate(bench, population);
    const memberships = membershipsOf(population);
    const tokens = await confabHellos(environment, users);

    /** In a process of its own each time: what an earlier round has left behind is in none. */
    const slope = async (file: string, kind: 'bare' | 'peer' | 'confab', hellos: string[]) => {
      const undos: (() => Promise<unknown>)[] = [];
      const own = { defer: (undo: () => unknown) => undos.push(async () => undo()) };
      try {
        const server = await startChild({
          name: file,
          command: bunChild(file),
          env: kind === 'confab' ? { ...environment, BENCH_SUBSCRIBER: 'redis' } : {},
        });
        undos.push(() => server.end());
        const port = await server.call<number>('port');
        const resident = async () => {
          await server.call('collect');
          await Bun.sleep(settleMs);
          await server.call('collect');
          return server.residentBytes();
        };
        const empty = await resident();
        await connectSockets(own, port, kind, hellos.slice(0, half));
        const first = await resident();
        await connectSockets(own, port, kind, hellos.slice(half));
        const second = await resident();
        return { kb: (second - first) / half / 1024, firstKb: (first - empty) / half / 1024 };
      } finally {
        for (const undo of undos.toReversed()) await undo();
      }
    };
    const contenders = [
      { name: 'bare Bun', run: () => slope('bare-sockets.ts', 'bare', bareHellos(memberships)) },
      { name: 'Confab', run: () => slope('gateway.ts', 'confab', tokens) },
      {
        name: 'Socket.IO on bun-engine',
        run: () => slope('peer.ts', 'peer', peerHellos(memberships)),
        rounds: 2,
      },
    ];
    const samples = await alternate(contenders, rounds, report.progress);

    const kb = (name: string, measure = 'kb') => valuesOf(samples, name, measure);
    report.table({
      title: 'Memory a connection, KB',
      columns: ['', `${half} → ${users}`, `0 → ${half}`],
      rows: contenders.map(({ name }) => [name, spreadText(kb(name)), spreadText(kb(name, 'firstKb'))]),
    });
    for (const { name } of contenders) report.figure(`${name}, KB a connection`, kb(name));
    report.atMost('KB a connection', spreadOf(kb('Confab')).median, 8);
  },
};
