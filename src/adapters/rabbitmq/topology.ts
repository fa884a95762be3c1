import type { BrokerConfig } from '../../shared/config.ts';

/**
 * How often the broker itself may see a message come back before it gives up on it: so often that just a broken broker
 * gets there. Every lost connection counts, and 4.x would otherwise stop at 20.
 */
const deliveryLimit = 1_000_000_000;

/** The queue of a partition; its routing key too. */
export const partitionQueue = (broker: BrokerConfig, partition: number): string =>
  `${broker.queuePrefix}.p${partition}`;

export const maxBytes = 'x-max-length-bytes';

export interface Exchange {
  name: string;
  type: 'direct' | 'fanout';
}

export interface TopologyQueue {
  name: string;
  arguments: Readonly<Record<string, string | number | boolean>>;
  boundTo: { exchange: string; routingKey: string };
}

export interface Topology {
  exchanges: readonly Exchange[];
  queues: readonly TopologyQueue[];
}

export function topologyOf(broker: BrokerConfig, partitionCount: number): Topology {
  const bound = broker.queueMaxBytes === undefined ? {} : { [maxBytes]: broker.queueMaxBytes };
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
          ...bound,
        },
        boundTo: { exchange: broker.exchange, routingKey: partitionQueue(broker, partition) },
      })),
    ],
  };
}
