import type { Channel, ChannelModel } from 'amqplib';
import { withDeadline } from '../deadline.ts';

const channelDeadlineMs = 4_000;

/**
 * One that comes after its time is closed again, and its errors are heard: unheard, they end the process.
 * @throws Error when there is none in time
 */
export async function openChannel(
  connection: Pick<ChannelModel, 'createChannel'>,
  deadlineMs = channelDeadlineMs,
): Promise<Channel> {
  const opening = connection.createChannel();
  const late = () => new Error('opening a channel took too long');
  return withDeadline(opening, deadlineMs, late).catch((error: unknown) => {
    opening.then(
      (channel) => {
        channel.on('error', () => {});
        return closeChannel(channel);
      },
      () => {},
    );
    throw error;
  });
}

/** Acknowledgements before it on the channel are taken before it closes. */
export async function closeChannel(channel: Channel): Promise<void> {
  try {
    await withDeadline(channel.close(), channelDeadlineMs, () => new Error('no goodbye'));
  } catch {
    // The connection went first.
  }
}
