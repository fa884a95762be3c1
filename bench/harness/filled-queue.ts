import amqplib from 'amqplib';
import { treeCpuMicroseconds } from '../../harness/usage.ts';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { envelopeKey } from '../../src/db/settings.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { createEnvelopeCodec, type EnvelopeCodec } from '../../src/shared/envelope-codec.ts';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { partitionOf } from '../../src/shared/partition.ts';
import type { Address } from './addresses.ts';
import type { Bench } from './bench.ts';
import { chatId, userId } from './population.ts';
import { spawnConfab } from './process.ts';
import { type BenchDatabase, type Environment, partitionCount } from './servers.ts';

/** The content of all messages of the bench: a line of ordinary length. */
export const content = 'Shall we meet at the harbour at seven? I will bring the charts. 🧭';

const mostUnconfirmed = 2_000;

/** As the processes of the deployment sign and believe them. */
async function envelopeCodec(url: string): Promise<EnvelopeCodec> {
  const database = openPostgres({ url, applicationName: 'confab-bench', maxConnections: 1 });
  try {
    return createEnvelopeCodec(await envelopeKey(database));
  } finally {
    await database.close();
  }
}

/** Puts one message for each address into its partition, as the api does. */
async function fillQueues(environment: Environment, addresses: readonly Address[]): Promise<void> {
  const config = parseConfig(environment);
  const log = createLog({ logLevel: 'warn' }, 'bench');
  const queue = openRabbitMq({
    metrics: createMetrics(),
    broker: config.broker,
    partitionCount,
    log,
    waitMs: 10_000,
  });
  const { seal } = await envelopeCodec(config.database.url);
  try {
    const { publish } = await queue.sendQueue();
    const unconfirmed = new Set<Promise<void>>();
    for (const { chat, user } of addresses) {
      const ids = { chatId: chatId(chat), senderId: userId(user), clientMessageId: crypto.randomUUID() };
      const id = deriveBrokerMessageId(ids.chatId, ids.senderId, ids.clientMessageId);
      const envelope: SendEnvelope = {
        version: 1,
        brokerMessageId: id,
        ...ids,
        content,
        sentAt: new Date().toISOString(),
        requestId: id,
      };
      const partition = partitionOf(ids.chatId, partitionCount);
      const confirmed = publish({ id, partition, body: seal(envelope) });
      unconfirmed.add(confirmed);
      confirmed.finally(() => unconfirmed.delete(confirmed)).catch(() => {});
      if (unconfirmed.size >= mostUnconfirmed) await Promise.race(unconfirmed);
    }
    await Promise.all(unconfirmed);
  } finally {
    await queue.close();
  }
}

export interface StoreSample extends Record<string, number> {
  perSecond: number;
  workerCpuUs: number;
  postgresCpuUs: number;
}

interface Reading {
  at: number;
  left: number;
  worker: number;
  postgres: number;
}

const readEveryMs = 25;
const mostMs = 90_000;

/**
 * Fills the queues, starts one worker, and measures while it works off the middle of it: from the first eighth to the last.
 * Then sees that every message is a row.
 */
export async function storeFromFilledQueue(
  { servers, defer }: Pick<Bench, 'servers' | 'defer'>,
  database: BenchDatabase,
  environment: Environment,
  addresses: readonly Address[],
  own: Record<string, string> = {},
): Promise<StoreSample> {
  await fillQueues(environment, addresses);
  const rows = async () => Number((await database.sql`SELECT count(*) FROM messages`)[0]?.count);
  const before = await rows();
  const postgresPid = servers.postgres.pid();
  const connection = await amqplib.connect(environment.RABBITMQ_URI);
  const channel = await connection.createChannel();
  const waiting = async () => {
    const queues = Array.from({ length: partitionCount }, (_, partition) =>
      channel.checkQueue(`${environment.RABBITMQ_CHAT_QUEUE_PREFIX}.p${partition}`),
    );
    return (await Promise.all(queues)).reduce((sum, queue) => sum + queue.messageCount, 0);
  };
  try {
    const worker = await spawnConfab({ servers, defer }, 'worker', environment, own);
    const readings: Reading[] = [];
    const giveUpAt = performance.now() + mostMs;
    for (let left = Number.POSITIVE_INFINITY; left > 0; ) {
      if (performance.now() > giveUpAt)
        throw new Error(`after ${mostMs / 1000} s the worker has left ${left} messages`);
      left = await waiting();
      readings.push({
        at: performance.now(),
        left,
        worker: worker.cpuMicroseconds(),
        postgres: treeCpuMicroseconds(postgresPid),
      });
      await Bun.sleep(readEveryMs);
    }
    // What the worker holds is not counted in the queue, and what it has not begun it would leave to another.
    const expected = before + addresses.length;
    for (let stored = await rows(); stored !== expected; stored = await rows()) {
      if (performance.now() > giveUpAt || stored > expected) {
        throw new Error(`${addresses.length} messages were queued, ${stored - before} stored`);
      }
      await Bun.sleep(readEveryMs);
    }
    await worker.stop();
    const [from, to] = [
      readingAt(readings, addresses.length * 0.875),
      readingAt(readings, addresses.length * 0.125),
    ];
    const stored = from.left - to.left;
    return {
      perSecond: (stored / (to.at - from.at)) * 1000,
      workerCpuUs: (to.worker - from.worker) / stored,
      postgresCpuUs: (to.postgres - from.postgres) / stored,
    };
  } finally {
    await connection.close();
  }
}

/** When so many were left, between the two readings around it. */
function readingAt(readings: readonly Reading[], left: number): Reading {
  const next = readings.findIndex((reading) => reading.left <= left);
  const [before, after] = [readings[next - 1], readings[next]];
  if (!before || !after) throw new Error('the queue was worked off before it could be measured: queue more');
  const share = (before.left - left) / Math.max(1, before.left - after.left);
  const between = (from: number, to: number) => from + (to - from) * share;
  return {
    at: between(before.at, after.at),
    left,
    worker: between(before.worker, after.worker),
    postgres: between(before.postgres, after.postgres),
  };
}
