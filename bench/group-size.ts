import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario } from './harness/fan-out.ts';
import { startFanOutServers } from './harness/fan-out-servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const users = 10_000;
const few = 100;

/** What a delivery costs does not grow with the group. */
export const groupSize: BenchPath = {
  name: 'group-size',
  title: 'a delivery in groups of 100 and of 10,000; 4 frames a tick',
  async run(bench) {
    const { report } = bench;
    const rooms = [
      { firstChat: 1, chats: 1, size: users },
      { firstChat: 2, chats: users / few, size: few },
    ];
    const started = await startFanOutServers(bench, { users, rooms }, false);

    const scenario = (size: number, firstChat: number): Scenario => ({
      name: size.toLocaleString('en'),
      // In both, the four of a tick are of one chat.
      rooms: { firstChat, chats: 1, size },
      perTick: 4,
      floorLeavesOut: false,
    });
    const measured = await measureFanOut(bench, started, [scenario(few, 2), scenario(users, 1)]);
    reportFanOut(bench, 'Group size', measured);
    const [small, big] = measured;
    if (!small || !big) throw new Error('two sizes were to be measured');
    const growth = ratiosOf(big.confabUs, small.confabUs);
    report.figure('10,000 / 100 members, CPU a delivery', growth);
    report.atMost('CPU a delivery, 10,000 members / 100', spreadOf(growth).median, 1.1);
  },
};
