import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { populate } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';
import { spreadOf } from './harness/statistics.ts';

const rooms = { firstChat: 1, chats: 20, size: 100 };
/** An api writes what it has gathered so often; and one message a second in each room. */
const ticksASecond = 20;
/** All have read a message after so many of them: half a second. */
const readOver = 10;
/** Those who have read are told once a second. */
const lastFrameMs = 1_200;

/** A room in which everybody reads each message at once, as those do who have it on the screen. */
export const readByAll: BenchPath = {
  name: 'read-by-all',
  title: `rooms of ${rooms.size} in which all read each message within half a second, one a second in each`,
  async run(bench) {
    const { report, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const users = rooms.chats * rooms.size;
    const { environment } = await populate(bench, { users, rooms: [rooms] });
    const gateway = await startConfab(bench, 'gateway', environment);
    const sockets = await connectSockets(
      bench,
      gateway.port,
      'confab',
      await confabHellos(environment, users),
    );
    const [feeder, readers] = await Promise.all(
      ['feeder', 'readers'].map(async (name) => {
        const child = await startChild({ name, command: bunChild(`${name}.ts`), env: environment });
        defer(() => child.end());
        return child;
      }),
    );
    if (!feeder || !readers) throw new Error('they did not start');

    const messages = Math.round(ticksASecond * seconds(2.5));
    const deliveries = messages * rooms.size;
    const measured = async (run: () => Promise<unknown>) => {
      const before = await sockets.call<{ frames: number }>('counts');
      const cpu = gateway.cpuMicroseconds();
      await run();
      await Bun.sleep(lastFrameMs);
      const us = (gateway.cpuMicroseconds() - cpu) / deliveries;
      const { frames } = await sockets.call<{ frames: number }>('counts');
      return { us, frames: (frames - before.frames) / deliveries };
    };
    const window = async () => {
      await feeder.call('prepare', { rooms, count: messages });
      const send = await measured(() =>
        feeder.call('run', { ticks: { count: messages, aSecond: ticksASecond }, perTick: 1 }),
      );
      await readers.call('prepare', { rooms, messages, over: readOver });
      const read = await measured(() =>
        readers.call('run', { ticks: { count: messages + readOver, aSecond: ticksASecond } }),
      );
      // Of each message each member's own membership, and who has read.
      if (send.frames !== 1 || read.frames < 1.5) {
        throw new Error(`${send.frames} frames a delivery of what was said, ${read.frames} of what was read`);
      }
      return { sendUs: send.us, readUs: read.us, frames: read.frames, ratio: read.us / send.us };
    };
    await window();
    const samples = await alternate([{ name: 'both', run: window }], rounds, report.progress);

    const values = (measure: string) => valuesOf(samples, 'both', measure);
    report.table({
      title: `A room of ${rooms.size}: gateway CPU µs for a member and a message`,
      columns: ['', 'µs', 'frames'],
      rows: [
        ['sending it', spreadText(values('sendUs')), '1'],
        ['all reading it', spreadText(values('readUs')), spreadText(values('frames'))],
      ],
    });
    report.figure('sending, CPU µs/member and message', values('sendUs'));
    report.figure('all reading, CPU µs/member and message', values('readUs'));
    report.atMost('CPU of all reading / of sending', spreadOf(values('ratio')).median, 2);
  },
};
