import type { ChannelModel } from 'amqplib';
import type { BrokerConfig } from '../config.ts';
import { StartError } from '../start-error.ts';

/** A refusal to start: what the broker has is not what this version needs; the message says how to mend it. */
export class TopologyError extends StartError {
  override name = 'TopologyError';
}

/**
 * How often the broker itself may see a message come back before it gives up on it: so often that just a broken broker
 * gets there. Every lost connection counts, and 4.x would otherwise stop at 20.
 */
const deliveryLimit = 1_000_000_000;

/** The queue of a partition; its routing key too. */
export const partitionQueue = (broker: BrokerConfig, partition: number): string =>
  `${broker.queuePrefix}.p${partition}`;

interface Topology {
  exchanges: { name: string; type: 'direct' | 'fanout' }[];
  queues: {
    name: string;
    arguments: Record<string, string | number | boolean>;
    boundTo: { exchange: string; routingKey: string };
  }[];
}

export function topologyOf(broker: BrokerConfig, partitionCount: number): Topology {
  return {
    exchanges: [
      { name: broker.exchange, type: 'direct' },
      { name: broker.deadLetterExchange, type: 'fanout' },
    ],
    queues: [
      {
        name: broker.deadLetterQueue,
        arguments: {
          'x-queue-type': 'quorum',
          'x-overflow': 'reject-publish',
          'x-delivery-limit': deliveryLimit,
        },
        boundTo: { exchange: broker.deadLetterExchange, routingKey: '' },
      },
      ...Array.from({ length: partitionCount }, (_, partition) => ({
        name: partitionQueue(broker, partition),
        arguments: {
          'x-queue-type': 'quorum',
          'x-single-active-consumer': true,
          'x-dead-letter-exchange': broker.deadLetterExchange,
          // Both are needed: without reject-publish the strategy falls back to at-most-once in silence.
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
          'x-delivery-limit': deliveryLimit,
        },
        boundTo: { exchange: broker.exchange, routingKey: partitionQueue(broker, partition) },
      })),
    ],
  };
}

/**
 * Declares all of it; what is there already stays as it is.
 * @throws TopologyError when something of that name is there and differs
 */
export async function declareTopology(connection: ChannelModel, topology: Topology): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  for (const { name, type } of topology.exchanges) {
    await declared('exchange', name, channel.assertExchange(name, type, { durable: true }));
  }
  for (const queue of topology.queues) {
    const { name, boundTo } = queue;
    await declared('queue', name, channel.assertQueue(name, { durable: true, arguments: queue.arguments }));
    await channel.bindQueue(name, boundTo.exchange, boundTo.routingKey);
  }
  await channel.close();
}

/** PRECONDITION_FAILED of AMQP: it exists with other properties. */
const preconditionFailed = 406;

async function declared(
  kind: 'exchange' | 'queue',
  name: string,
  declaring: Promise<unknown>,
): Promise<void> {
  try {
    await declaring;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === preconditionFailed) {
      const variables =
        kind === 'queue'
          ? 'RABBITMQ_CHAT_QUEUE_PREFIX and RABBITMQ_CHAT_DLQ_NAME'
          : 'RABBITMQ_CHAT_EXCHANGE and RABBITMQ_CHAT_DLX_EXCHANGE';
      throw new TopologyError(
        `RabbitMQ has a ${kind} "${name}" with other properties than Confab's (${reasonOf(error)}). ` +
          `Empty it and delete it (rabbitmqctl delete_${kind} ${name}, or the management page), ` +
          `or choose other names with ${variables}.`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** The broker's own words, out of amqplib's sentence around them. */
function reasonOf(error: Error): string {
  return /with message "(.*)"$/s.exec(error.message)?.[1] ?? error.message;
}
