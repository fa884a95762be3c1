import pino from 'pino';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import type { BrokerConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { partitionCount as allPartitions } from '../conformance/queue.ts';
import { brokerConfig } from './broker.ts';
import { runningMs } from './running-time.ts';
import { realServers } from './servers.ts';

/** Queues of Confab's at a real broker, under names of their own. */
export async function rabbitQueues() {
  const servers = await realServers();
  const silent = pino({ level: 'silent' });
  const opened: Queue[] = [];
  return {
    servers,
    log: silent,
    brokerAt: (url: string): BrokerConfig => brokerConfig(url, servers.createBrokerNames()),
    open(
      broker: BrokerConfig,
      { partitionCount = allPartitions, waitMs = 20_000, log = silent } = {},
    ): Queue {
      const queue = openRabbitMq({ metrics: createMetrics(), broker, partitionCount, log, waitMs });
      opened.push(queue);
      return queue;
    },
    async close(): Promise<void> {
      for (const each of opened) await each.close();
    },
  };
}

/** What a rejected promise gave, and after how long. */
export async function failure(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const began = runningMs();
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, ms: runningMs() - began };
}
