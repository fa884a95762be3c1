import { join } from 'node:path';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { bunChild, bunCommand, startChild } from './harness/child.ts';
import { window } from './harness/fan-out.ts';
import type { FanOutServer } from './harness/fan-out-servers.ts';
import { populate } from './harness/population.ts';
import { short, spreadText } from './harness/report.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const size = 100;
const room = { firstChat: 1, chats: 1, size };
/** Deliveries a second: the cheaper one of them is, the more of them a window needs to be measured. */
const cases = [
  { perTick: 1, aSecond: 40_000 },
  { perTick: 32, aSecond: 200_000 },
];
const windowSeconds = 1.5;
const children = join(import.meta.dir, 'children');

/** What it costs to know each chat's number, while every notification is the next one. */
export const sequencer: BenchPath = {
  name: 'sequencer',
  title: `a room of ${size}, nothing wrong; the sequencer against none; 1 and 32 frames a tick`,
  async run(bench) {
    const { report, rounds, seconds } = bench;
    const gateway = bunChild('gateway.ts');
    const bypassed = [
      ...bunCommand(),
      '--preload',
      join(children, 'bypass-sequencer.ts'),
      join(children, 'gateway.ts'),
    ];
    const servers = {
      sequencer: await startGateway(bench, 'gateway', gateway),
      bypassed: await startGateway(bench, 'gateway, bypassed', bypassed),
      // What two processes that do the same differ by.
      control: await startGateway(bench, 'gateway once more', gateway),
    };

    const rows: string[][] = [];
    for (const { perTick, aSecond } of cases) {
      const scenario = {
        name: String(size),
        rooms: room,
        perTick,
        floorLeavesOut: false,
      };
      const options = { seconds: seconds(windowSeconds), aSecond, fewestTicks: 5 };
      const contenders = Object.entries(servers).map(([name, server]) => ({
        name,
        run: () => window(server, scenario, options),
      }));
      const progress = (text: string) => report.progress(`${perTick} a tick, ${text}`);
      // Compiled code first: nothing of this round counts.
      await alternate(contenders, 1, (text) => progress(`warming, ${text}`));
      const samples = await alternate(contenders, rounds, progress);

      const us = (name: keyof typeof servers) => valuesOf(samples, name, 'cpuUs');
      const ratios = ratiosOf(us('sequencer'), us('bypassed'));
      const noise = ratiosOf(us('sequencer'), us('control'));
      rows.push([
        String(perTick),
        spreadText(us('sequencer')),
        spreadText(us('bypassed')),
        short(spreadOf(ratios).median),
        spreadText(us('control')),
        short(spreadOf(noise).median),
      ]);
      for (const name of ['sequencer', 'bypassed', 'control'] as const) {
        report.figure(`${perTick} a tick, ${name}, CPU µs/delivery`, us(name));
      }
      report.atMost(`${perTick} a tick: CPU / without the sequencer`, spreadOf(ratios).median, 1.05);
    }
    report.table({
      title: `A room of ${size}: gateway CPU µs a delivery, median (min … max)`,
      columns: ['a tick', 'sequencer', 'bypassed', 'ratio', 'sequencer again', 'ratio'],
      rows,
    });
  },
};

/** With a database of its own, because it is told messages of its own. */
async function startGateway(bench: Bench, name: string, command: string[]): Promise<FanOutServer> {
  const { report, defer } = bench;
  report.progress(`${name}: data and ${size} sockets`);
  const { environment } = await populate(bench, { users: size, rooms: [room] });
  const driver = await startChild({ name, command, env: environment });
  defer(() => driver.end());
  const hellos = await confabHellos(environment, size);
  const sockets = await connectSockets(bench, await driver.call<number>('port'), 'confab', hellos);
  return { cpuMicroseconds: driver.cpuMicroseconds, driver, sockets };
}
