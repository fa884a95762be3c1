import { connect } from 'amqplib';
import { openPostgres } from '../../src/db/postgres.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { tableTexts } from './changes-of.ts';
import type { ThreeProcesses } from './deployment.ts';
import { eventually } from './eventually.ts';
import { openTestRedis } from './redis.ts';
import type { RealServers } from './servers.ts';

/**
 * Where on the servers a word is: a logical dump of PostgreSQL, all of Redis; a queue in which nothing is left has no word either.
 * @throws Error when a queue, or that of the dead letters, does not run empty
 */
export const searchServers =
  (servers: RealServers, { env, databaseUrl }: Pick<ThreeProcesses, 'env' | 'databaseUrl'>) =>
  async (word: string): Promise<string[]> => {
    const database = openPostgres({ url: databaseUrl, applicationName: 'a dump' });
    const broker = await connect(servers.rabbitmqUrl);
    try {
      const channel = await broker.createChannel();
      const { partitionCount, broker: names } = parseConfig(env);
      const partitions = Array.from({ length: partitionCount }, (_, at) => `${names.queuePrefix}.p${at}`);
      for (const queue of [...partitions, names.deadLetterQueue]) {
        const isEmpty = async () => (await channel.checkQueue(queue)).messageCount === 0;
        await eventually(`${queue} is empty`, isEmpty);
      }
      return [...(await tableTexts(database, word)), ...(await redisKeys(servers.redisUrl, word))];
    } finally {
      await broker.close();
      await database.close();
    }
  };

/** Of whatever type, those in whose name or value the word is. */
export async function redisKeys(url: string, word: string): Promise<string[]> {
  const redis = await openTestRedis(url);
  try {
    // A dump would have the words in pieces.
    await redis.config('SET', 'rdbcompression', 'no');
    const keys = await redis.keysBuffer('*');
    const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    return keys.flatMap((key, at) =>
      key.includes(word) || dumps[at]?.includes(word) ? [`Redis: ${key}`] : [],
    );
  } finally {
    redis.disconnect();
  }
}
