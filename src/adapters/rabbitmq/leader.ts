import type { Channel } from 'amqplib';

/** Less than the 250 ms that RabbitMQ gives a leader before it answers in its place: with zeros. */
const silenceMs = 200;

export interface QueueState {
  /** Ready: what a consumer has in hand is not counted. */
  messages: number;
  consumers: number;
}

/**
 * What the queue's leader says; undefined where it is silent. Then nothing that is published is confirmed, and who consumes is
 * not answered: after 65 s RabbitMQ ends the whole connection for it (541).
 *
 * Asked once more before that is said: a new queue on a busy machine, or this process itself, may have stood still for a moment.
 * @throws Error with code 404 when there is no such queue
 */
export async function askLeader(channel: Channel, queue: string): Promise<QueueState | undefined> {
  return (await askOnce(channel, queue)) ?? (await askOnce(channel, queue));
}

async function askOnce(channel: Channel, queue: string): Promise<QueueState | undefined> {
  const began = performance.now();
  // What the way there and back takes.
  await channel.prefetch(1);
  const asked = performance.now();
  const { messageCount: messages, consumerCount: consumers } = await channel.checkQueue(queue);
  const took = performance.now() - asked - (asked - began);
  return messages === 0 && consumers === 0 && took >= silenceMs ? undefined : { messages, consumers };
}
