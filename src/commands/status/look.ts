import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import { ownerOf } from '../../worker/partitions-of.ts';
import { type PostgresReading, readPostgres } from './read-postgres.ts';
import { type RabbitMqReading, readRabbitMq } from './read-rabbitmq.ts';
import { readRedis } from './read-redis.ts';
import type { PartitionStatus, ServerStatus, Status } from './status.ts';

/** Asks the three servers, each by itself: of one that is away the problems say it, and the rest is there. */
export async function lookAtServers(config: Config, log: Logger): Promise<Status> {
  const problems: string[] = [];
  async function unlessAway<Reading>(name: string, reading: Promise<Reading>): Promise<Reading | undefined> {
    try {
      return await reading;
    } catch (error) {
      problems.push(`${name} cannot be asked: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  const redis = unlessAway('Redis', readRedis(config));
  const postgres = await unlessAway('PostgreSQL', readPostgres(config.database));
  const { partitionCount = config.partitionCount } = postgres ?? {};
  const rabbitMq = await unlessAway('RabbitMQ', readRabbitMq(config.broker, partitionCount, log));
  const away = (name: string): ServerStatus => ({ name, version: null, notes: [] });
  return {
    at: new Date().toISOString(),
    servers: [
      postgres?.server ?? away('PostgreSQL'),
      rabbitMq?.server ?? away('RabbitMQ'),
      (await redis) ?? away('Redis'),
    ],
    processes: postgres?.processes ?? null,
    partitions: partitionsOf(partitionCount, postgres, rabbitMq),
    deadLetters: rabbitMq?.deadLetters ?? null,
    notes: problems.length === 3 ? singleProcessIn(config.dataDir) : [],
    problems: [...problems, ...(postgres?.problems ?? []), ...(rabbitMq?.problems ?? [])],
  };
}

/** Where no server is there, it may be what is meant. */
const singleProcessIn = (dataDir: string): string[] =>
  existsSync(join(dataDir, 'database'))
    ? [`There is data of the single process: bun run status --data-dir ${dataDir}`]
    : [];

/** Whose a partition is follows from who lives, as it does for the workers; that somebody consumes it the broker says. */
function partitionsOf(
  count: number,
  postgres: PostgresReading | undefined,
  rabbitMq: RabbitMqReading | undefined,
): PartitionStatus[] {
  const workers = (postgres?.processes ?? []).filter(({ roles }) => roles.includes('worker'));
  const workerIds = workers.map(({ instance }) => instance);
  return Array.from({ length: count }, (_, partition) => {
    const queue = rabbitMq?.queues[partition];
    const owner = queue?.consumers === 0 ? undefined : ownerOf(partition, workerIds);
    const ages = owner === undefined ? undefined : postgres?.oldestSeconds.get(owner);
    return {
      partition,
      owner: owner ?? null,
      waiting: queue?.messages ?? null,
      oldestSeconds: ages?.get(partition) ?? null,
    };
  });
}
