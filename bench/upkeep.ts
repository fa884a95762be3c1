import type { BenchPath } from './harness/bench.ts';
import { populate } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { short } from './harness/report.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';

const users = 10_000;
const chatSize = 10;
const settleMs = 5_000;
/** Six rounds of pings, every 25 s, and five of comparisons, every 30 s. */
const windowSeconds = 150;

/** What a gateway does for sockets that nobody says anything to: pings, and the comparisons with PostgreSQL. */
export const upkeep: BenchPath = {
  name: 'upkeep',
  title: `a gateway with ${users} idle sockets, each in one chat of ${chatSize}`,
  onlyByName: true,
  async run(bench) {
    const { report, seconds } = bench;
    report.progress('servers and data');
    const rooms = [{ firstChat: 1, chats: users / chatSize, size: chatSize }];
    const { environment } = await populate(bench, { users, rooms });
    const gateway = await startConfab(bench, 'gateway', environment);
    report.progress('sockets');
    await connectSockets(bench, gateway.port, 'confab', await confabHellos(environment, users));
    await Bun.sleep(settleMs);
    report.progress(`idle for ${seconds(windowSeconds)} s`);
    const [before, beganAt] = [gateway.cpuMicroseconds(), performance.now()];
    await Bun.sleep(seconds(windowSeconds) * 1000);
    const percent = (gateway.cpuMicroseconds() - before) / (performance.now() - beganAt) / 10;
    report.note(`of a core: ${short(percent)} %`);
    report.figure('% of a core', [percent]);
  },
};
