import type { BrokerConfig } from '../config.ts';
import { StartError } from '../start-error.ts';
import type { Link } from './rabbitmq-link.ts';
import { partitionQueue } from './rabbitmq-topology.ts';

export interface Depths {
  /** Waiting in the queues; what a consumer has in hand is not counted. */
  messages: number;
  consumers: number;
}

const notFound = 404;

/** Of all partitions together; a queue that is not there is empty. */
export async function readDepths(link: Link, broker: BrokerConfig, partitionCount: number): Promise<Depths> {
  const connection = link.current();
  if (!connection) throw new StartError('The connection to RabbitMQ was lost; nothing was changed.');
  const depths: Depths = { messages: 0, consumers: 0 };
  for (let partition = 0; partition < partitionCount; partition += 1) {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    try {
      const { messageCount, consumerCount } = await channel.checkQueue(partitionQueue(broker, partition));
      depths.messages += messageCount;
      depths.consumers += consumerCount;
      await channel.close();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === notFound)) throw error;
    }
  }
  return depths;
}
