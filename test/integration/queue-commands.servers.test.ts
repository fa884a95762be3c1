import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pino from 'pino';
import { serverEnvironment } from '../../harness/servers.ts';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import type { Status } from '../../src/commands/status/status.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { assertPartitioning, readPartitioning } from '../../src/db/settings.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Queue } from '../../src/shared/ports/queue.ts';
import { collect, publish } from '../conformance/queue.ts';
import { process as aProcess } from '../conformance/registry.ts';
import { audited, dlqSession, runCommand } from '../support/commands.ts';
import { eventually } from '../support/eventually.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
let environment: Record<string, string>;
let database: Database;
let queue: Queue;

beforeAll(async () => {
  const databaseUrl = await servers.createDatabase();
  environment = {
    ...serverEnvironment({
      database: databaseUrl,
      redis: servers.redisUrl,
      rabbitmq: servers.rabbitmqUrl,
    }),
    RABBITMQ_CHAT_PARTITION_COUNT: '4',
    ...servers.createBrokerNames(),
  };
  const { broker, partitionCount } = parseConfig(environment);
  database = openPostgres({ url: databaseUrl, applicationName: 'a test' });
  await migrate(database);
  await assertPartitioning(database, partitionCount);
  queue = openRabbitMq({
    metrics: createMetrics(),
    broker,
    partitionCount,
    log: pino({ level: 'silent' }),
    waitMs: 20_000,
  });
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

describe('the status', () => {
  const registry = () => createDatabaseRegistry(database);
  const worker = aProcess({
    roles: ['worker'],
    oldest: { 1: new Date(Date.now() - 90_000).toISOString() },
  });
  const gateway = aProcess({ roles: ['gateway'] });
  /** They beat as a process does, until it was looked. */
  const whileTheyLive = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const beat = () => Promise.all([registry().beat(gateway), registry().beat(worker)]);
    await beat();
    const beating = setInterval(() => void beat().catch(() => {}), 500);
    return work().finally(() => clearInterval(beating));
  };
  const look = (args: readonly string[], env = environment) =>
    whileTheyLive(async () => {
      const { status, out, err } = await runCommand('status.ts', ['--json', ...args], env);
      return { status, err, ...(JSON.parse(out) as Status) };
    });

  test('says what runs, whose each partition is, what waits, and how long', async () => {
    await publish(queue, 2, ['one', 'two']);
    const source = await queue.partitionSource();
    const consumer = await source.consume(1, { batchSize: 1, bufferedBatches: 1 }, async () => 'done');
    const seen = await look([]);
    await consumer.close();
    expect(seen).toMatchObject({ status: 0, err: '', problems: [], deadLetters: 0 });
    expect(seen.servers).toMatchObject([
      {
        name: 'PostgreSQL',
        version: expect.stringMatching(/^\d+/),
        notes: [expect.stringMatching(/^schema \d{4}_/)],
      },
      { name: 'RabbitMQ', version: expect.stringMatching(/^\d+\./) },
      { name: 'Redis', version: expect.stringMatching(/^\d+\./) },
    ]);
    expect(seen.processes).toEqual(
      [gateway, worker].map(({ id, roles, programVersion }) => ({
        ...{ instance: id, roles: [...roles], version: programVersion },
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        silentSeconds: expect.any(Number),
      })),
    );
    // It was made a moment before.
    expect(Date.now() - Date.parse(seen.processes?.[0]?.since ?? '')).toBeLessThan(600_000);
    const nobody = { owner: null, oldestSeconds: null };
    const [first, second, third, fourth] = seen.partitions;
    expect(first).toEqual({ partition: 0, waiting: 0, ...nobody });
    expect(second).toMatchObject({ partition: 1, waiting: 0, owner: worker.id });
    expect(second?.oldestSeconds).toBeGreaterThanOrEqual(90);
    expect(third).toEqual({ partition: 2, waiting: 2, ...nobody });
    expect(fourth).toMatchObject({ partition: 3 });
    await collect(queue, 2, 2);
  }, 60_000);

  test('of a server that is away it says so, and shows the rest', async () => {
    const port = String(await freePort());
    const url = Object.assign(new URL(environment.DATABASE_URL!), { port }).href;
    const [redis, rabbitMq, postgres] = await Promise.all([
      look([], { ...environment, REDIS_PORT: port }),
      look([], { ...environment, RABBITMQ_URI: `amqp://guest:guest@127.0.0.1:${port}` }),
      look([], { ...environment, DATABASE_URL: url }),
    ]);
    const versions = ({ servers }: Status) => servers.map(({ version }) => version !== null);
    expect(redis).toMatchObject({ status: 1, problems: [expect.stringMatching(/^Redis cannot be asked: /)] });
    expect(versions(redis)).toEqual([true, true, false]);
    expect(redis.processes).toHaveLength(2);
    expect(redis.deadLetters).toBe(0);

    expect(rabbitMq).toMatchObject({ status: 1, deadLetters: null });
    expect(rabbitMq.problems).toEqual([expect.stringMatching(/^RabbitMQ cannot be asked: /)]);
    expect(versions(rabbitMq)).toEqual([true, false, true]);
    expect(rabbitMq.partitions[0]).toMatchObject({ owner: worker.id, waiting: null });

    expect(postgres).toMatchObject({ status: 1, processes: null, deadLetters: 0 });
    expect(postgres.problems).toEqual([expect.stringMatching(/^PostgreSQL cannot be asked: .*ECONNREFUSED/)]);
    expect(versions(postgres)).toEqual([false, true, true]);
    expect(postgres.partitions[2]).toMatchObject({ owner: null, waiting: 0 });
  }, 60_000);

  test('of a database without a schema it says what makes one', async () => {
    const empty = await look([], { ...environment, DATABASE_URL: await servers.createDatabase() });
    expect(empty).toMatchObject({ status: 1, processes: [] });
    expect(empty.problems).toEqual([expect.stringContaining('run `bun run migrate`')]);
  }, 60_000);

  test('for people, again and again, until Ctrl-C', async () => {
    const watching = processes.run(['src/commands/status.ts', '--watch'], environment);
    await whileTheyLive(async () => {
      for (const part of ['Dead letters: 0', worker.id, 'PARTITION  OWNER']) await untilSays(watching, part);
      // Again.
      await eventually('it looks again', () => watching.output().split('Dead letters: 0').length > 2, 60_000);
    });
    watching.signal('SIGINT');
    expect(await watching.exited).toBe(0);
  }, 60_000);

  test.each([[['--forever']], [['now']], [['--data-dir']]])('%j is no command', async (args) => {
    const { status, out, err } = await runCommand('status.ts', args, environment);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain('bun run status --watch');
  });
});

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
  const own = openPostgres({ url: env.DATABASE_URL, applicationName: 'a test' });
  await own.query('CREATE TABLE reactions ()', []);
  const failed = await runCommand('migrate.ts', [], env);
  expect(failed.status).toBe(1);
  expect(failed.err).toContain('drizzle/0022_reactions.sql failed');
  const [before] = audited({ ...failed, err: failed.err.replace(/^drizzle.*\n/m, '') });
  expect(before).toMatchObject({
    event: 'schema.migrated',
    migrations: expect.arrayContaining(['0000_tables', '0020_change_messages']),
  });
  await own.query('DROP TABLE reactions', []);
  await own.close();
  const first = await runCommand('migrate.ts', [], env);
  expect(first.status).toBe(0);
  const [after] = audited(first);
  expect(after?.migrations).toContain('0022_reactions');
  expect(after?.migrations).not.toContain('0020_change_messages');
  const second = await runCommand('migrate.ts', [], env);
  expect(second).toMatchObject({ status: 0, err: '' });
}, 60_000);
