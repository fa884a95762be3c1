import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario, startFanOutServers } from './harness/fan-out.ts';
import { seedChats, seedUsers } from './harness/population.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const users = 10_000;
const few = 100;

/** What a delivery costs does not grow with the group. */
export const groupSize: BenchPath = {
  name: 'group-size',
  title: 'a delivery in groups of 100 and of 10,000; 4 frames a tick',
  async run(bench) {
    const { report } = bench;
    const seed = async (sql: BenchDatabase['sql']) => {
      await seedUsers(sql, 1, users);
      await seedChats(sql, { from: 1, count: 1, size: users, firstUser: 1 });
      await seedChats(sql, { from: 2, count: users / few, size: few, firstUser: 1 });
    };
    const memberships = Array.from({ length: users }, (_, at) => [1, 2 + Math.floor(at / few)]);
    const started = await startFanOutServers(bench, seed, memberships, false);

    const scenario = (size: number, firstChat: number): Scenario => ({
      name: size.toLocaleString('en'),
      // In both, the four of a tick are of one chat.
      rooms: { firstChat, chats: 1, size, firstUser: 1 },
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
