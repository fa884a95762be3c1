import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Subprocess } from 'bun';
import pino from 'pino';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { partitionOf } from '../../src/shared/partition.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { brokerConfig } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { insertChat, type OneChat } from '../support/one-chat.ts';
import { testEnvelopes } from '../support/queue-parts.ts';
import { realServers } from '../support/servers.ts';
import type { WorkerProcessSettings } from '../support/worker-process.ts';

const servers = await realServers();
const partitionCount = 16;
const chatCount = 40;
const workers: Subprocess[] = [];
let settings: WorkerProcessSettings;
let database: Database;
let queue: Queue;
/** How many each process announced. */
const announced = new Map<Subprocess, number>();

beforeAll(async () => {
  const databaseUrl = await servers.createDatabase();
  settings = {
    databaseUrl,
    partitionCount,
    // The broker drops a frozen worker after two silent seconds instead of six.
    broker: brokerConfig(`${servers.rabbitmqUrl}?heartbeat=1`, servers.createBrokerNames()),
  };
  database = openPostgres({ url: databaseUrl, applicationName: 'confab-test' });
  await migrate(database);
  queue = openRabbitMq({
    metrics: createMetrics(),
    ...settings,
    log: pino({ level: 'silent' }),
    waitMs: 20_000,
  });
}, 60_000);
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await Promise.all(workers.map(({ exited }) => exited));
  await queue.close();
  await database.close();
}, 20_000);

async function startWorkerProcess(): Promise<Subprocess> {
  const ready = Promise.withResolvers<void>();
  const worker = Bun.spawn(
    [process.execPath, '--no-env-file', `${import.meta.dir}/../support/worker-process.ts`],
    {
      env: { ...process.env, WORKER: JSON.stringify(settings) },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'inherit',
    },
  );
  workers.push(worker);
  void (async () => {
    for await (const chunk of worker.stdout) {
      for (const line of new TextDecoder().decode(chunk).split('\n')) {
        if (line === 'ready') ready.resolve();
        else if (line.startsWith('{')) announced.set(worker, (announced.get(worker) ?? 0) + 1);
      }
    }
    ready.reject(new Error('the worker ended'));
  })();
  await ready.promise;
  return worker;
}

interface TestChat extends OneChat {
  accepted: string[];
}

const createChat = async (): Promise<TestChat> => ({ ...(await insertChat(database)), accepted: [] });

/** One after another, as one client does; what is confirmed is accepted. */
async function send(chat: TestChat, count: number): Promise<void> {
  const sendQueue = await queue.sendQueue();
  for (let at = 0; at < count; at += 1) {
    const { chatId, senderId } = chat;
    const clientMessageId = crypto.randomUUID();
    const brokerMessageId = deriveBrokerMessageId(chatId, senderId, clientMessageId);
    const envelope: SendEnvelope = {
      ...{ version: 1, brokerMessageId, chatId, senderId, clientMessageId },
      ...{ content: `message ${at}`, sentAt: new Date().toISOString(), requestId: 'r' },
    };
    await sendQueue.publish({
      id: brokerMessageId,
      partition: partitionOf(chatId, partitionCount),
      body: testEnvelopes.seal(envelope),
    });
    chat.accepted.push(brokerMessageId);
  }
}

async function storedCount(): Promise<number> {
  return (await database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM messages', []))[0]!.rows;
}

const liveWorkers = async () =>
  (
    await database.query<{ live: number }>(
      `SELECT count(*)::int AS live FROM workers WHERE seen_at > now() - interval '6 seconds'`,
      [],
    )
  )[0]!.live;

test('two workers share the work; one is killed, one is frozen and wakes: nothing lost, repeated or out of order', async () => {
  const chats = await Promise.all(Array.from({ length: chatCount }, createChat));
  const acceptedCount = () => chats.reduce((sum, { accepted }) => sum + accepted.length, 0);
  const sendAll = (count: number) => Promise.all(chats.map((chat) => send(chat, count)));
  const settle = () =>
    eventually(
      'all that was accepted is stored',
      async () => (await storedCount()) >= acceptedCount(),
      40_000,
    );

  const [first, second] = [await startWorkerProcess(), await startWorkerProcess()];
  await sendAll(6);
  await settle();
  await eventually('both have their share', async () => {
    await sendAll(1);
    return announced.has(first) && announced.has(second);
  });

  // Killed in the middle of the stream.
  const before = await storedCount();
  const sending = sendAll(18);
  await eventually('some of it is stored', async () => (await storedCount()) > before + 100);
  first.kill('SIGKILL');
  await sending;
  await settle();

  // Frozen in the middle of the stream, until the others have taken over; then it wakes with what it had in hand.
  const third = await startWorkerProcess();
  await eventually('three were seen, one of them dead', async () => (await liveWorkers()) >= 2);
  const beforeFreeze = await storedCount();
  const sendingOn = sendAll(18);
  await eventually('some of it is stored', async () => (await storedCount()) > beforeFreeze + 100);
  second.kill('SIGSTOP');
  await sendingOn;
  await settle();
  second.kill('SIGCONT');
  await eventually('it is back', async () => (await liveWorkers()) === 2, 20_000);
  await sendAll(6);
  await settle();

  // Leaving in good order: the rest goes on at once.
  third.kill('SIGTERM');
  expect(await third.exited).toBe(0);
  await sendAll(3);
  await settle();

  expect(await storedCount()).toBe(acceptedCount());
  for (const { chatId, accepted } of chats) {
    const rows = await database.query<{ id: string; sequence: number; eventSequence: number }>(
      `SELECT id::text, sequence, event_sequence AS "eventSequence" FROM messages WHERE chat_id = $1
      ORDER BY sequence`,
      [chatId],
    );
    expect(rows.map(({ id }) => id)).toEqual(accepted);
    expect(rows.map(({ sequence }) => sequence)).toEqual(accepted.map((_, at) => at + 1));
  }
  await eventually('every one was announced', () => {
    return [...announced.values()].reduce((sum, count) => sum + count) >= acceptedCount();
  });
  expect(await (await queue.deadLetterStore()).list()).toEqual([]);
}, 150_000);
