import { readStates } from '../../adapters/rabbitmq/depths.ts';
import { createLink } from '../../adapters/rabbitmq/link.ts';
import { partitionQueue } from '../../adapters/rabbitmq/topology.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import type { ServerStatus } from './status.ts';

export interface RabbitMqReading {
  server: ServerStatus;
  /** By partition; undefined where its queue does not answer, or is not there. */
  queues: ({ messages: number; consumers: number } | undefined)[];
  deadLetters: number | null;
  problems: string[];
}

const waitMs = 3_000;

/** @throws Error with the reason where RabbitMQ cannot be asked */
export async function readRabbitMq(
  broker: BrokerConfig,
  partitionCount: number,
  log: Logger,
): Promise<RabbitMqReading> {
  const link = createLink({ broker, name: 'confab status', log, waitMs });
  try {
    await link.open();
    const connection = link.current();
    if (!connection) throw new Error(`the connection was lost: ${link.problem()}`);
    const names = Array.from({ length: partitionCount }, (_, partition) => partitionQueue(broker, partition));
    const states = await readStates(connection, [...names, broker.deadLetterQueue]);
    const problems: string[] = [];
    const stateOf = (queue: string) => {
      const state = states.get(queue);
      if (typeof state === 'object') return state;
      problems.push(
        state === 'missing' ? `RabbitMQ has no queue ${queue}.` : `The queue ${queue} does not answer.`,
      );
      return undefined;
    };
    return {
      server: {
        name: 'RabbitMQ',
        version: connection.connection.serverProperties.version ?? null,
        notes: [],
      },
      queues: names.map(stateOf),
      deadLetters: stateOf(broker.deadLetterQueue)?.messages ?? null,
      problems,
    };
  } finally {
    await link.close();
  }
}
