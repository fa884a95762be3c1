import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario, startFanOutServers } from './harness/fan-out.ts';
import { seedChats, seedUsers } from './harness/population.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { spreadOf } from './harness/statistics.ts';

const users = 2_000;
const group = { from: 1_001, count: users / 10, size: 10 };
const direct = { from: 1, count: users / 2, size: 2 };

/** Rooms of 10 and of 2 on one gateway. */
export const fanOutSmall: BenchPath = {
  name: 'fan-out-small',
  title: `rooms of 10, and direct chats with the sender left out; ${users} sockets; 1 and 32 frames a tick`,
  async run(bench) {
    const { report } = bench;
    const seed = async (sql: BenchDatabase['sql']) => {
      await seedUsers(sql, 1, users);
      await seedChats(sql, { ...direct, firstUser: 1 });
      await seedChats(sql, { ...group, firstUser: 1 });
    };
    const memberships = Array.from({ length: users }, (_, at) => [
      direct.from + Math.floor(at / direct.size),
      group.from + Math.floor(at / group.size),
    ]);
    const started = await startFanOutServers(bench, seed, memberships, true);

    const scenarios: Scenario[] = [group, direct].flatMap(({ from, count, size }) =>
      [1, 32].map((perTick) => ({
        name: size === 2 ? 'direct' : String(size),
        rooms: { firstChat: from, chats: count, size, firstUser: 1 },
        perTick,
        floorLeavesOut: size === 2,
      })),
    );
    const measured = await measureFanOut(bench, started, scenarios);
    reportFanOut(bench, 'Small rooms', measured);
    for (const { scenario, ratios, confabUs, nodeUs, bunEngineUs } of measured) {
      const what = `room of ${scenario.name}, ${scenario.perTick} a tick`;
      report.atMost(`${what}: CPU / floor`, spreadOf(ratios).median, 1.5);
      const confab = spreadOf(confabUs).median;
      report.atMost(`${what}: Confab / Socket.IO on Node`, confab / spreadOf(nodeUs).median, 1);
      report.atMost(`${what}: Confab / Socket.IO on bun-engine`, confab / spreadOf(bunEngineUs).median, 1);
    }
  },
};
