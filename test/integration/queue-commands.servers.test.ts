import { afterAll, beforeAll, expect, test } from 'bun:test';
import pino from 'pino';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { assertPartitioning, readPartitioning } from '../../src/db/settings.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { collect, publish } from '../conformance/queue.ts';
import { audited, dlqSession, runCommand } from '../support/commands.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
let environment: Record<string, string>;
let database: Database;
let queue: Queue;

beforeAll(async () => {
  const databaseUrl = await servers.createDatabase();
  environment = {
    DATABASE_URL: databaseUrl,
    RABBITMQ_URI: servers.rabbitmqUrl,
    RABBITMQ_CHAT_PARTITION_COUNT: '4',
    ...servers.createBrokerNames(),
  };
  const { broker, partitionCount } = parseConfig(environment);
  database = openPostgres({ url: databaseUrl, applicationName: 'a test' });
  await migrate(database);
  await assertPartitioning(database, partitionCount);
  queue = openRabbitMq({ broker, partitionCount, log: pino({ level: 'silent' }), waitMs: 20_000 });
  await queue.partitionSource();
}, 60_000);
afterAll(async () => {
  await queue.close();
  await database.close();
}, 20_000);

test('dead letters in RabbitMQ are listed, shown, dropped and replayed', async () => {
  const body = '{"content":"let me in","sentAt":"2026-02-14T12:00:00.000Z"}';
  const sink = await queue.deadLetterSink();
  await sink.put({ delivery: { id: 'first', body, partition: 3 }, reason: 'not_participant' });
  await sink.put({ delivery: { id: 'second', body: '{}', partition: 3 }, reason: 'no version' });
  await sink.put({
    delivery: { id: 'third', body: 'not JSON \u001b[31m', partition: 3 },
    reason: 'not JSON',
  });
  const otherwise = { ...environment, RABBITMQ_CHAT_PARTITION_COUNT: '8' };
  const elsewhere = await runCommand('dlq.ts', ['replay', '--all'], otherwise);
  expect(elsewhere).toMatchObject({ status: 1, out: '' });
  expect(elsewhere.err).toContain('set up for 4 partitions, RABBITMQ_CHAT_PARTITION_COUNT says 8');
  await dlqSession((...args) => runCommand('dlq.ts', args, environment), ['first', 'second', 'third']);
  expect((await collect(queue, 3, 2)).map(({ id }) => id)).toEqual(['first', 'third']);
}, 60_000);

test('another partition count waits for empty queues without consumers or apis, gives up unchanged, then is recorded', async () => {
  const repartition = (...args: string[]) => runCommand('repartition.ts', args, environment);
  await publish(queue, 1, ['waiting']);
  const full = await repartition('16', '--wait', '0');
  expect(full.status).toBe(1);
  expect(full.err).toContain('nothing was changed');
  expect(full.err).toContain('Messages that wait in the 4 old partitions: 1.');

  const running = repartition('16', '--wait', '60');
  const inHand = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const consumer = await (await queue.partitionSource()).consume(
    1,
    { batchSize: 10, bufferedBatches: 1 },
    async () => {
      taken.resolve();
      await inHand.promise;
      return 'done';
    },
  );
  await taken.promise;
  // In hand it waits nowhere, and still keeps the change away; so does an api that is connected.
  const api = openPostgres({ url: environment.DATABASE_URL!, applicationName: 'confab api' });
  await api.query('SELECT 1', []);
  const held = await repartition('16', '--wait', '0');
  expect(held.status).toBe(1);
  expect(held.err).toContain('confab api; 1 consumers');
  expect(await readPartitioning(database)).toMatchObject({ count: 4 });
  inHand.resolve();
  await consumer.close();
  await api.close();

  const done = await running;
  expect(done.status).toBe(0);
  expect(audited(done)).toMatchObject([{ event: 'partitions.changed', before: 4, count: 16 }]);
  expect(done.out).toContain('Recorded: 16 partitions instead of 4.');
  expect(done.out).toContain('RABBITMQ_CHAT_PARTITION_COUNT=16');
  expect(await readPartitioning(database)).toMatchObject({ count: 16 });
  await expect(assertPartitioning(database, 4)).rejects.toThrow('set up for 16 partitions');
  expect((await repartition('16')).out).toContain('There are 16 partitions already.');
  await eventually(
    'nothing is left',
    async () => (await (await queue.deadLetterStore()).list()).length === 0,
  );
}, 120_000);

test.each([[[]], [['0']], [['1025']], [['eight']], [['8', '9']], [['8', '--wait', 'x']], [['8', '--force']]])(
  'repartition %j shows how it is used',
  async (args) => {
    const { status, err } = await runCommand('repartition.ts', args, environment);
    expect(status).toBe(2);
    expect(err).toContain('bun run repartition <count>');
  },
);

test('who has brought the schema up to date is told once', async () => {
  const env = { DATABASE_URL: await servers.createDatabase() };
  const first = await runCommand('migrate.ts', [], env);
  expect(first.status).toBe(0);
  expect(audited(first)).toMatchObject([
    { event: 'schema.migrated', migrations: expect.arrayContaining(['0000_tables']) },
  ]);
  const second = await runCommand('migrate.ts', [], env);
  expect(second).toMatchObject({ status: 0, err: '' });
}, 60_000);
