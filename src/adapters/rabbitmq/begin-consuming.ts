import type { Channel, ConsumeMessage } from 'amqplib';
import { withDeadline } from '../../shared/deadline.ts';
import { codeOf } from './errors.ts';
import { askLeader } from './leader.ts';

/** AMQP counts the prefetch in 16 bits. */
const mostPrefetch = 65_535;
/** RabbitMQ itself answers for a leader that is silent after 65 s only: by ending the connection. */
const consumeDeadlineMs = 10_000;

/** The queue's leader is missing or silent. */
export class NotAnswered extends Error {
  override name = 'NotAnswered';
}

export interface BeginOptions {
  queue: string;
  /** Whether its leader may be missing: the connection is one that may be lost over it. */
  unwell: boolean;
  prefetch: number;
  leaving: AbortSignal;
}

/**
 * @returns true once the broker has answered; false as soon as it is time to leave: then what was asked is left behind, and so is
 * what becomes of it
 * @throws NotAnswered, or an Error with AMQP's code
 */
export async function beginConsuming(
  channel: Channel,
  options: BeginOptions,
  onMessage: (message: ConsumeMessage | null) => void,
): Promise<boolean> {
  const { leaving } = options;
  const left = Promise.withResolvers<false>();
  const leave = () => left.resolve(false);
  if (leaving.aborted) leave();
  leaving.addEventListener('abort', leave);
  const begun = begin(channel, options, onMessage);
  try {
    return await Promise.race([begun, left.promise]);
  } finally {
    leaving.removeEventListener('abort', leave);
    begun.catch(() => {});
  }
}

async function begin(
  channel: Channel,
  { queue, unwell, prefetch }: BeginOptions,
  onMessage: (message: ConsumeMessage | null) => void,
): Promise<true> {
  const late = () => new NotAnswered(`RabbitMQ has not answered within ${consumeDeadlineMs / 1000} s`);
  const leader = await withDeadline(askLeader(channel, queue), consumeDeadlineMs, late);
  if (!leader && !unwell) throw new NotAnswered('the leader of its queue does not answer');
  await withDeadline(channel.prefetch(Math.min(mostPrefetch, prefetch)), consumeDeadlineMs, late);
  const consuming = channel.consume(queue, onMessage).catch((error: unknown) => {
    if (codeOf(error) !== undefined) throw error;
    throw new NotAnswered('RabbitMQ ended the connection that asked for it: its queue has no leader', {
      cause: error,
    });
  });
  await withDeadline(consuming, consumeDeadlineMs, late);
  return true;
}
