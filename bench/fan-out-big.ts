import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario, startFanOutServers } from './harness/fan-out.ts';
import { seedChats, seedUsers } from './harness/population.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { spreadOf } from './harness/statistics.ts';

const users = 10_000;
const small = 2_000;

/** Rooms of 2,000 and of 10,000 sockets on one gateway. */
export const fanOutBig: BenchPath = {
  name: 'fan-out-big',
  title: 'rooms of 2,000 and 10,000 sockets; 1, 4 and 32 frames a tick',
  async run(bench) {
    const { report } = bench;
    const seed = async (sql: BenchDatabase['sql']) => {
      await seedUsers(sql, 1, users);
      await seedChats(sql, { from: 1, count: 1, size: users, firstUser: 1 });
      await seedChats(sql, { from: 2, count: 1, size: small, firstUser: 1 });
    };
    const memberships = Array.from({ length: users }, (_, at) => (at < small ? [1, 2] : [1]));
    const started = await startFanOutServers(bench, seed, memberships, true);

    const scenarios: Scenario[] = [small, users].flatMap((size) =>
      [1, 4, 32].map((perTick) => ({
        name: size.toLocaleString('en'),
        rooms: { firstChat: size === users ? 1 : 2, chats: 1, size, firstUser: 1 },
        perTick,
        floorLeavesOut: false,
      })),
    );
    const measured = await measureFanOut(bench, started, scenarios);
    reportFanOut(bench, 'Big rooms', measured);
    for (const { scenario, ratios, confabUs, nodeUs, bunEngineUs } of measured) {
      const what = `room of ${scenario.name}, ${scenario.perTick} a tick`;
      report.atMost(`${what}: CPU / floor`, spreadOf(ratios).median, 1.15);
      if (scenario.perTick < 32) continue;
      const confab = spreadOf(confabUs).median;
      report.atLeast(`${what}: Socket.IO on Node / Confab`, spreadOf(nodeUs).median / confab, 8);
      report.atLeast(`${what}: Socket.IO on bun-engine / Confab`, spreadOf(bunEngineUs).median / confab, 8);
    }
  },
};
