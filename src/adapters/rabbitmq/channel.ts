import type { Channel } from 'amqplib';
import { withDeadline } from '../../shared/deadline.ts';

const channelDeadlineMs = 4_000;

/** The broker has not answered. */
export class ChannelTimeout extends Error {
  override name = 'ChannelTimeout';
}

/**
 * One that comes after its time is closed again, and its errors are heard: unheard, they end the process.
 * @throws ChannelTimeout when there is none in time
 */
export async function openChannel<Kind extends Channel>(
  open: () => Promise<Kind>,
  deadlineMs = channelDeadlineMs,
): Promise<Kind> {
  const opening = open();
  const late = () => new ChannelTimeout('opening a channel took too long');
  const channel = await withDeadline(opening, deadlineMs, late).catch((error: unknown) => {
    opening.then(
      (tooLate) => {
        tooLate.on('error', () => {});
        return closeChannel(tooLate);
      },
      () => {},
    );
    throw error;
  });
  channel.on('error', () => {});
  return channel;
}

/** Acknowledgements before it on the channel are taken before it closes. */
export async function closeChannel(channel: Channel): Promise<void> {
  try {
    await withDeadline(channel.close(), channelDeadlineMs, () => new Error('no goodbye'));
  } catch {
    // The connection went first.
  }
}
