import type { Channel, ChannelModel } from 'amqplib';
import { closeChannel, openChannel } from './channel.ts';

/**
 * So many at once: RabbitMQ gives the leader of a queue 250 ms before it answers for it, and a thousand of them, one after the
 * other, take longer than anybody waits. Measured, 1,024 new queues: 4.4 s.
 */
const mostChannels = 64;

/** A channel that is opened anew after an error has closed it. */
export interface Bench {
  run<Result>(work: (channel: Channel) => Promise<Result>): Promise<Result>;
}

/** Rejects with the first failure, and begins nothing more after it. */
export async function inParallel<Item>(
  connection: ChannelModel,
  items: readonly Item[],
  work: (item: Item, on: Bench) => Promise<void>,
  most = mostChannels,
): Promise<void> {
  const left = items.values();
  let failed = false;
  const workers = Array.from({ length: Math.min(most, items.length) }, async () => {
    const bench = benchOf(connection);
    try {
      for (const item of left) {
        if (failed) return;
        await work(item, bench);
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      await bench.close();
    }
  });
  await Promise.all(workers);
}

function benchOf(connection: ChannelModel): Bench & { close(): Promise<void> } {
  let channel: Channel | undefined;
  const close = async () => {
    const last = channel;
    channel = undefined;
    if (last) await closeChannel(last);
  };
  return {
    async run(work) {
      channel ??= await openChannel(() => connection.createChannel());
      try {
        return await work(channel);
      } catch (error) {
        void close();
        throw error;
      }
    },
    close,
  };
}
