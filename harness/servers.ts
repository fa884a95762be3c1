import { randomBytes } from 'node:crypto';
import amqplib from 'amqplib';
import postgres from 'postgres';
import type { Guard } from '../src/commands/servers/guard.ts';
import { createLauncher, startTrio, type Trio } from '../src/commands/servers/launcher.ts';
import { obtainBinaries } from '../src/commands/servers/obtain.ts';

/**
 * Private servers. What is missing on this machine is installed, or the reader is told what to do.
 * @param options.durable false: as fast as they go
 */
export async function startServers(options: {
  guard: Guard;
  folder: string;
  print: (line: string) => void;
  durable: boolean;
}): Promise<Trio> {
  const binaries = await obtainBinaries({ ...options, needed: ['postgres', 'redis', 'rabbitmq'] });
  return startTrio(createLauncher(options.guard, binaries), options.folder, options);
}

/** The environment that leads processes of Confab to such servers. Of theirs nobody else knows the ports. */
export function serverEnvironment(urls: { database: string; redis: string; rabbitmq: string }) {
  const redis = new URL(urls.redis);
  return {
    DATABASE_URL: urls.database,
    REDIS_HOST: redis.hostname,
    REDIS_PORT: redis.port,
    RABBITMQ_URI: urls.rabbitmq,
    ALLOW_DEFAULT_CREDENTIALS: 'true',
  };
}

/** A new, empty database of the server. */
export async function createDatabase(server: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `confab_${randomBytes(6).toString('hex')}`;
  await administer(server, (sql) => sql`create database ${sql(name)}`);
  return {
    url: Object.assign(new URL(server), { pathname: `/${name}` }).href,
    /** With its connections cut. */
    drop: () => administer(server, (sql) => sql`drop database if exists ${sql(name)} with (force)`),
  };
}

async function administer(url: string, run: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await run(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The environment that gives a deployment its own part of the broker, and of Redis. */
export type BrokerNames = ReturnType<typeof createBrokerNames>;

export function createBrokerNames() {
  const tag = randomBytes(6).toString('hex');
  return {
    RABBITMQ_CHAT_EXCHANGE: `${tag}.events`,
    RABBITMQ_CHAT_DLX_EXCHANGE: `${tag}.dlx`,
    RABBITMQ_CHAT_QUEUE_PREFIX: `${tag}.send`,
    RABBITMQ_CHAT_DLQ_NAME: `${tag}.send.dlq`,
    CHAT_NOTIFICATION_CHANNEL: `${tag}.notifications`,
  };
}

const mostPartitions = 64;

/** All that was declared under these names. */
export async function deleteFromBroker(url: string, names: BrokerNames): Promise<void> {
  const connection = await amqplib.connect(url);
  const channel = await connection.createChannel();
  const prefix = names.RABBITMQ_CHAT_QUEUE_PREFIX;
  const queues = Array.from({ length: mostPartitions }, (_, index) => `${prefix}.p${index}`);
  // Deleting what is not there is no error.
  for (const queue of [...queues, names.RABBITMQ_CHAT_DLQ_NAME]) await channel.deleteQueue(queue);
  for (const exchange of [names.RABBITMQ_CHAT_EXCHANGE, names.RABBITMQ_CHAT_DLX_EXCHANGE])
    await channel.deleteExchange(exchange);
  await connection.close();
}
