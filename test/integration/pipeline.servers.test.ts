import { describe } from 'bun:test';
import { connect } from 'amqplib';
import { openPostgres } from '../../src/db/postgres.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { tableTexts } from '../support/changes-of.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { testProcesses } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { examplesSuite } from './examples.ts';
import { pipelineSuite } from './pipeline.ts';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({ processes, servers });

/** A logical dump of PostgreSQL, all of Redis; a queue in which nothing is left has no word either. */
async function placesOf(word: string): Promise<string[]> {
  const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'a dump' });
  const redis = await openTestRedis(servers.redisUrl);
  const broker = await connect(servers.rabbitmqUrl);
  const channel = await broker.createChannel();
  try {
    const { partitionCount, broker: names } = parseConfig(deployment.env);
    const partitions = Array.from({ length: partitionCount }, (_, at) => `${names.queuePrefix}.p${at}`);
    for (const queue of [...partitions, names.deadLetterQueue]) {
      await eventually(`${queue} is empty`, async () => (await channel.checkQueue(queue)).messageCount === 0);
    }
    const dumps = await Promise.all((await redis.keys('*')).map((key) => redis.dumpBuffer(key)));
    const inRedis = dumps.some((dump) => dump?.includes(word)) ? ['Redis'] : [];
    return [...(await tableTexts(database, word)), ...inRedis];
  } finally {
    await broker.close();
    redis.disconnect();
    await database.close();
  }
}

describe('the pipeline in three processes', () => pipelineSuite({ processes, deployment, placesOf }));
describe('the examples in three processes', () => examplesSuite({ processes, deployment }));
