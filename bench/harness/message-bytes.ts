import amqplib from 'amqplib';
import { Redis } from 'ioredis';
import type { ChattersResult } from '../children/chatters.ts';
import type { Bench } from './bench.ts';
import type { Child } from './child.ts';
import { content } from './filled-queue.ts';
import type { ConfabProcess } from './process.ts';
import { short } from './report.ts';
import { type BenchDatabase, type Environment, partitionCount } from './servers.ts';

/** What one message of a line takes on disk and on the wire. */
export async function bytesOfMessage(
  { report, defer }: Pick<Bench, 'report' | 'defer'>,
  {
    database: { sql },
    environment,
    chatters,
    worker,
  }: { database: BenchDatabase; environment: Environment; chatters: Child; worker: ConfabProcess },
  startWorker: () => Promise<ConfabProcess>,
): Promise<void> {
  report.progress('what a message takes');
  const redis = new Redis({ host: environment.REDIS_HOST, port: Number(environment.REDIS_PORT) });
  defer(() => redis.disconnect());
  const notifications: number[] = [];
  await redis.psubscribe(`${environment.CHAT_NOTIFICATION_CHANNEL}:chat:*`);
  redis.on('pmessageBuffer', (_pattern, _channel, message: Buffer) => notifications.push(message.length));

  await chatters.call('renew');
  const [before] = await sql`SELECT pg_current_wal_insert_lsn() AS lsn`;
  const { delivered } = await chatters.call<ChattersResult>('closed', { slots: 128, seconds: 5 });
  const [wal] = await sql`SELECT (pg_current_wal_insert_lsn() - ${before?.lsn})::float8 AS bytes`;
  const [disk] = await sql`
    SELECT sum(pg_table_size(inhrelid))::float8 AS rows, sum(pg_indexes_size(inhrelid))::float8 AS indexes,
      (SELECT count(*)::float8 FROM messages) AS count
    FROM pg_inherits WHERE inhparent = 'messages'::regclass`;

  // It waits in the queue until there is a worker again.
  await worker.stop();
  await chatters.call('renew');
  const sent = chatters.call<ChattersResult>('open', { aSecond: 1, seconds: 1 });
  const body = await bytesInQueue(environment);
  await startWorker();
  await sent;

  const mean = notifications.reduce((sum, length) => sum + length, 0) / notifications.length;
  const figures: [string, number][] = [
    ['row, bytes', disk?.rows / disk?.count],
    ['its share of the indexes', disk?.indexes / disk?.count],
    ["PostgreSQL's write-ahead log", wal?.bytes / delivered],
    ['in the queue, without its headers', body],
    ['notification, to each gateway that has one of the chat', mean],
  ];
  report.table({
    title: `A message of a line (${Buffer.byteLength(content)} bytes)`,
    columns: ['', 'bytes'],
    rows: figures.map(([name, value]) => [name, short(value)]),
  });
  for (const [name, value] of figures) report.figure(`a message: ${name}`, [value]);
}

/** Of the one message that is on its way into a partition, which nobody consumes. */
async function bytesInQueue(environment: Environment): Promise<number> {
  const connection = await amqplib.connect(environment.RABBITMQ_URI);
  try {
    const channel = await connection.createChannel();
    const found = Promise.withResolvers<number>();
    for (let partition = 0; partition < partitionCount; partition += 1) {
      await channel.consume(`${environment.RABBITMQ_CHAT_QUEUE_PREFIX}.p${partition}`, (message) => {
        if (message) found.resolve(message.content.length);
      });
    }
    return await found.promise;
  } finally {
    // Not acknowledged, it is back in its place when the connection ends.
    await connection.close();
  }
}
