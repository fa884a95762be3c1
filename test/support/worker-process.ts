/** A worker in a process of its own, for tests that kill and freeze it; its settings come as JSON in `WORKER`. */
import pino from 'pino';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { BrokerConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { testEnvelopes, testMembership } from './queue-parts.ts';

export interface WorkerProcessSettings {
  databaseUrl: string;
  broker: BrokerConfig;
  partitionCount: number;
}

const settings: WorkerProcessSettings = JSON.parse(process.env.WORKER ?? '{}');
const log = pino({ level: 'error' }, pino.destination(2));
const database = openPostgres({ url: settings.databaseUrl, applicationName: 'confab-test-worker' });
const queue = openRabbitMq({ metrics: createMetrics(), ...settings, log, waitMs: 20_000 });
const worker = await startWorker({
  metrics: createMetrics(),
  database,
  partitionSource: await queue.partitionSource(),
  deadLetterSink: await queue.deadLetterSink(),
  notifier: {
    // A line each: the test counts what was announced, and by whom.
    async publish(batch) {
      process.stdout.write(batch.map(({ topic, head }) => `${JSON.stringify({ topic, head })}\n`).join(''));
    },
  },
  membership: testMembership(createDatabaseRegistry(database)),
  envelopes: testEnvelopes,
  config: {
    enabled: true,
    batchSize: 16,
    bufferedBatches: 1,
    maxRetries: 5,
    partitionCount: settings.partitionCount,
  },
  log,
});
console.log('ready');
process.on('SIGTERM', async () => {
  await worker.stop();
  await queue.close();
  await database.close();
  process.exit(0);
});
