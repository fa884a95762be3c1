import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { populate } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';
import { spreadOf } from './harness/statistics.ts';

const usersEach = 500;
const chatSize = 10;
const perTick = 4;
const deliveriesASecond = 40_000;

/** Two gateways, as many sockets on each; all that is said is said in the chats of one. */
export const idleGateway: BenchPath = {
  name: 'idle-gateway',
  title: `a gateway with ${usersEach} sockets, none of them in the chats in play`,
  async run(bench) {
    const { report, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const chats = usersEach / chatSize;
    const { environment } = await populate(bench, {
      users: 2 * usersEach,
      rooms: [{ firstChat: 1, chats: 2 * chats, size: chatSize }],
    });
    const hellos = await confabHellos(environment, 2 * usersEach);
    const busy = await startConfab(bench, 'gateway', environment);
    const idle = await startConfab(bench, 'gateway', environment);
    const sockets = await connectSockets(bench, busy.port, 'confab', hellos.slice(0, usersEach));
    const idleSockets = await connectSockets(bench, idle.port, 'confab', hellos.slice(usersEach));
    const feeder = await startChild({ name: 'feeder', command: bunChild('feeder.ts'), env: environment });
    defer(() => feeder.end());

    const rooms = { firstChat: 1, chats, size: chatSize };
    const aSecond = deliveriesASecond / (perTick * chatSize);
    const window = async () => {
      const count = Math.round(aSecond * seconds(3));
      const before = await sockets.call<{ frames: number }>('counts');
      await feeder.call('prepare', { rooms, count: count * perTick });
      const idleBefore = await idleSockets.call<{ frames: number }>('counts');
      const [busyCpu, idleCpu] = [busy.cpuMicroseconds(), idle.cpuMicroseconds()];
      await feeder.call('run', { ticks: { count, aSecond }, perTick });
      const frames = before.frames + count * perTick * chatSize;
      const after = await sockets.call<{ frames: number }>('waitFor', { frames, timeoutMs: 30_000 });
      const used = [busy.cpuMicroseconds() - busyCpu, idle.cpuMicroseconds() - idleCpu] as const;
      const idleAfter = await idleSockets.call<{ frames: number }>('counts');
      if (after.frames !== frames || idleAfter.frames !== idleBefore.frames) {
        throw new Error('the busy gateway has not delivered all, or the idle one something');
      }
      return { busyMs: used[0] / 1000, idleMs: used[1] / 1000, percent: (100 * used[1]) / used[0] };
    };
    await window();
    const samples = await alternate([{ name: 'both', run: window }], rounds, report.progress);

    const percent = valuesOf(samples, 'both', 'percent');
    report.table({
      title: 'CPU of a window',
      columns: ['', 'ms'],
      rows: [
        ['the busy gateway', spreadText(valuesOf(samples, 'both', 'busyMs'))],
        ['the idle gateway', spreadText(valuesOf(samples, 'both', 'idleMs'))],
      ],
    });
    report.figure('idle / busy, %', percent);
    report.atMost('% of the CPU of a busy gateway', spreadOf(percent).median, 2);
  },
};
