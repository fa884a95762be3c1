import type { ChannelModel } from 'amqplib';
import type { BrokerConfig } from '../../shared/config.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { StartError } from '../../shared/start-error.ts';
import { codeOf, notFound, reasonOf } from './errors.ts';
import { askLeader, type QueueState } from './leader.ts';
import type { Link } from './link.ts';
import { inParallel } from './parallel.ts';
import { partitionQueue } from './topology.ts';

export interface Depths {
  /** Waiting in the queues; what a consumer has in hand is not counted. */
  messages: number;
  consumers: number;
}

const deadlineMs = 10_000;
/** So many channels at once: this is to disturb nobody. */
const mostChannels = 8;

/**
 * Of all partitions together; a queue that is not there is empty.
 * @throws StartError where one of them does not answer: it may hold anything
 */
export async function readDepths(link: Link, broker: BrokerConfig, partitionCount: number): Promise<Depths> {
  const connection = link.current();
  if (!connection) throw new StartError(`There is no connection to RabbitMQ: ${link.problem() ?? 'lost'}.`);
  const queues = Array.from({ length: partitionCount }, (_, partition) => partitionQueue(broker, partition));
  const depths: Depths = { messages: 0, consumers: 0 };
  for (const [queue, state] of await readStates(connection, queues)) {
    if (state === 'silent') throw new StartError(`The queue ${queue} does not answer.`);
    if (state === 'missing') continue;
    depths.messages += state.messages;
    depths.consumers += state.consumers;
  }
  return depths;
}

/**
 * Of a queue without a leader RabbitMQ says that it is empty; only who consumes it hears more.
 * @throws StartError where there is one: it may hold anything
 */
export async function assertLeaders(link: Link, broker: BrokerConfig, partitionCount: number): Promise<void> {
  const connection = link.current();
  if (!connection) throw new StartError(`There is no connection to RabbitMQ: ${link.problem() ?? 'lost'}.`);
  const queues = Array.from({ length: partitionCount }, (_, partition) => partitionQueue(broker, partition));
  const asking = inParallel(
    connection,
    queues,
    async (queue, on) => {
      // Not cancelled: what came would be passed by what follows. It is back in its place when the channel closes.
      await on
        .run((channel) => channel.consume(queue, () => {}))
        .catch((error: unknown) => {
          if (codeOf(error) === notFound) return;
          throw new StartError(
            `The queue ${queue} can't be consumed, it may have no leader: ${reasonOf(error)}`,
          );
        });
    },
    mostChannels,
  );
  await withDeadline(asking, deadlineMs, () => new StartError('A queue of a partition does not answer.'));
}

export type QueueReading = QueueState | 'silent' | 'missing';

/** @throws Error when the broker does not answer at all */
export async function readStates(
  connection: ChannelModel,
  queues: readonly string[],
): Promise<Map<string, QueueReading>> {
  const states = new Map<string, QueueReading>();
  const reading = inParallel(
    connection,
    queues,
    async (queue, on) => {
      const state = await on
        .run((channel) => askLeader(channel, queue))
        .catch((error: unknown) => {
          if (codeOf(error) !== notFound) throw error;
          return 'missing' as const;
        });
      states.set(queue, state ?? 'silent');
    },
    mostChannels,
  );
  await withDeadline(
    reading,
    deadlineMs,
    () => new Error(`RabbitMQ has not answered within ${deadlineMs / 1000} s`),
  );
  return states;
}
