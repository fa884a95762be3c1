import type { BenchPath } from './harness/bench.ts';
import { measureFanOut, reportFanOut, type Scenario } from './harness/fan-out.ts';
import { startFanOutServers } from './harness/fan-out-servers.ts';
import { spreadOf } from './harness/statistics.ts';

const users = 2_000;
const group = { firstChat: 1_001, chats: users / 10, size: 10 };
const direct = { firstChat: 1, chats: users / 2, size: 2 };

/** Rooms of 10 and of 2 on one gateway. */
export const fanOutSmall: BenchPath = {
  name: 'fan-out-small',
  title: `rooms of 10, and direct chats with the sender left out; ${users} sockets; 1 and 32 frames a tick`,
  async run(bench) {
    const { report } = bench;
    const started = await startFanOutServers(bench, { users, rooms: [direct, group] }, true);

    const scenarios: Scenario[] = [group, direct].flatMap((rooms) =>
      [1, 32].map((perTick) => ({
        name: rooms === direct ? 'direct' : String(rooms.size),
        rooms,
        perTick,
        floorLeavesOut: rooms === direct,
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
