import type { ChannelModel } from 'amqplib';
import { socketOf } from './connect.ts';

/**
 * amqplib writes each message to the socket by itself. Corked until the end of the tick, all that is published in one tick
 * goes out in one write (measured at 64 in flight: 20 to 10 µs of CPU a confirmed message, and twice as many a second,
 * because the broker too reads more at once).
 */
export function coalesceWrites(connection: ChannelModel): void {
  const stream = socketOf(connection);
  const write = stream.write;
  let corked = false;
  const flush = () => {
    corked = false;
    stream.uncork();
  };
  stream.write = (...given: unknown[]) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(flush);
    }
    return Reflect.apply(write, stream, given);
  };
}
