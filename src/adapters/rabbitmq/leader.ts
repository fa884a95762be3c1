import type { Channel } from 'amqplib';

/** Less than the 250 ms that RabbitMQ gives a leader before it answers in its place: with zeros. */
const silenceMs = 200;
/** A new queue on a busy machine, or this process itself, may have stood still for a moment. */
const mostAttempts = 2;

export interface QueueState {
  /** Ready: what a consumer has in hand is not counted. */
  messages: number;
  consumers: number;
}

/**
 * What the queue's leader says; undefined where it is silent. Then nothing that is published is confirmed, and who consumes is
 * not answered: after 65 s RabbitMQ ends the whole connection for it (541).
 * @throws Error with code 404 when there is no such queue
 */
export async function askLeader(channel: Channel, queue: string): Promise<QueueState | undefined> {
  // The shortest that was seen: one that a busy moment makes long would let a silent leader pass for one that is far away.
  let wayMs = await timeOf(() => channel.prefetch(1));
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    let state: QueueState = { messages: 0, consumers: 0 };
    const tookMs = await timeOf(async () => {
      const { messageCount: messages, consumerCount: consumers } = await channel.checkQueue(queue);
      state = { messages, consumers };
    });
    if (state.messages > 0 || state.consumers > 0 || tookMs < silenceMs) return state;
    wayMs = Math.min(wayMs, await timeOf(() => channel.prefetch(1)));
    if (tookMs - wayMs < silenceMs) return state;
  }
  return undefined;
}

async function timeOf(work: () => PromiseLike<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
