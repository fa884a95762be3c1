/** `bun run repartition <count>`: another number of partitions, once the old ones are empty. */
import { assertLeaders, readDepths } from '../adapters/rabbitmq/depths.ts';
import { createLink } from '../adapters/rabbitmq/link.ts';
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { createLifecycle } from '../process/lifecycle.ts';
import { loadConfig } from '../process/load-config.ts';
import { createLog } from '../shared/log.ts';
import { operatorAudit } from './operator/audit.ts';
import { operate, UsageError } from './operator/operate.ts';
import { parsed } from './operator/parsed.ts';
import { repartition } from './repartition/repartition.ts';

const usage = `bun run repartition <count> [--wait <seconds>]

Changes the number of partitions, 1 to 1024, for the database and the broker that the environment names:
  1. stop every api, so that nothing new comes, and leave the workers running
  2. bun run repartition <count>: waits until the workers have emptied the queues, then asks you to stop them,
     then records the new number; after --wait seconds (300) it gives up and has changed nothing
  3. set RABBITMQ_CHAT_PARTITION_COUNT=<count> everywhere, start all again`;

const applicationName = 'confab repartition';
const serversWaitMs = 10_000;

async function main(count: number, waitMs: number): Promise<void> {
  const config = loadConfig({ needsSecret: false });
  const log = createLog({ logLevel: 'error' }, 'repartition');
  const lifecycle = createLifecycle(log);
  try {
    const database = await openReadyPostgres({
      ...config.database,
      applicationName,
      migrates: false,
      needsOwnSession: true,
      waitMs: serversWaitMs,
      log,
    });
    lifecycle.defer('PostgreSQL', () => database.close());
    const link = createLink({
      broker: config.broker,
      name: applicationName,
      log,
      waitMs: serversWaitMs,
    });
    lifecycle.defer('RabbitMQ', () => link.close());
    await link.open();
    await repartition({
      database,
      depths: (partitionCount) => readDepths(link, config.broker, partitionCount),
      assertLeaders: (partitionCount) => assertLeaders(link, config.broker, partitionCount),
      ownName: applicationName,
      count,
      waitMs,
      print: (line) => console.log(line),
      audit: operatorAudit('repartition'),
    });
  } finally {
    await lifecycle.stop();
  }
}

/** @throws UsageError */
function parseArguments(): { count: number; waitMs: number } {
  const { positionals, values } = parsed({
    allowPositionals: true,
    options: { wait: { type: 'string', default: '300' } },
  });
  const [count, ...more] = positionals.map(Number);
  const seconds = Number(values.wait);
  if (count === undefined || more.length > 0 || !Number.isInteger(count) || count < 1 || count > 1024)
    throw new UsageError('One count of partitions is wanted, 1 to 1024.');
  if (!(seconds >= 0)) throw new UsageError('--wait takes seconds.');
  return { count, waitMs: seconds * 1000 };
}

await operate(usage, async () => {
  const { count, waitMs } = parseArguments();
  await main(count, waitMs);
  return 0;
});
