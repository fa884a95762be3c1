import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario } from './harness/fan-out.ts';
import { startFanOutServers } from './harness/fan-out-servers.ts';
import { spreadOf } from './harness/statistics.ts';

const users = 10_000;
const big = { firstChat: 1, chats: 1, size: users };
const small = { firstChat: 2, chats: 1, size: 2_000 };

/** Rooms of 2,000 and of 10,000 sockets on one gateway. */
export const fanOutBig: BenchPath = {
  name: 'fan-out-big',
  title: 'rooms of 2,000 and 10,000 sockets; 1, 4 and 32 frames a tick',
  async run(bench) {
    const { report } = bench;
    const started = await startFanOutServers(bench, { users, rooms: [big, small] }, true);

    const scenarios: Scenario[] = [small, big].flatMap((rooms) =>
      [1, 4, 32].map((perTick) => ({
        name: rooms.size.toLocaleString('en'),
        rooms,
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
