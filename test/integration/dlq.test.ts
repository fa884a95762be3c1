import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { openDataFolder } from '../../src/process/data-folder.ts';
import { collect } from '../conformance/queue.ts';
import { dlqSession, runCommand } from '../support/commands.ts';
import { makeDataFolder } from '../support/pglite.ts';

const folder = await mkdtemp(join(tmpdir(), 'confab-dlq-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
await makeDataFolder(folder);

async function withQueue<Result>(
  use: (queue: ReturnType<typeof createEmbeddedQueue>) => Promise<Result>,
): Promise<Result> {
  const opened = await openDataFolder(folder);
  const database = await opened.openDatabase();
  const queue = createEmbeddedQueue({ database, log: pino({ level: 'silent' }) });
  try {
    return await use(queue);
  } finally {
    await queue.close();
    await database.close();
    opened.close();
  }
}

test('dead letters of the single process are listed, shown, dropped and replayed while it is stopped', async () => {
  const body = '{"content":"let me in","sentAt":"2026-02-14T12:00:00.000Z"}';
  await withQueue(async (queue) => {
    const sink = await queue.deadLetterSink();
    await sink.put({ delivery: { id: 'first', body, partition: 3 }, reason: 'not_participant' });
    await sink.put({ delivery: { id: 'second', body: '{}', partition: 3 }, reason: 'no version' });
    await sink.put({
      delivery: { id: 'third', body: 'not JSON \u001b[31m', partition: 3 },
      reason: 'not JSON',
    });
    const refused = await runCommand('dlq.ts', ['list', '--data-dir', folder]);
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain('in use');
    const looked = await runCommand('status.ts', ['--json', '--data-dir', folder], {
      PORT: String(await freePort()),
    });
    expect(looked.status).toBe(1);
    expect(JSON.parse(looked.out)).toMatchObject({
      processes: [{ instance: `process ${process.pid}` }],
      notes: [expect.stringContaining('it alone can open its database')],
      problems: [expect.stringMatching(/readyz does not answer .*: set HOST and PORT/)],
    });
  });
  const away = {
    DATABASE_URL: 'postgres://postgres@127.0.0.1:1/chat',
    REDIS_PORT: '1',
    RABBITMQ_URI: 'amqp://127.0.0.1:1',
  };
  const [stopped, servers] = await Promise.all([
    runCommand('status.ts', ['--json', '--data-dir', folder]),
    runCommand('status.ts', [], { ...away, DATA_DIR: folder }),
  ]);
  expect(servers.status).toBe(1);
  expect(servers.out).toContain(`There is data of the single process: bun run status --data-dir ${folder}`);
  expect(stopped).toMatchObject({ status: 0, err: '' });
  expect(JSON.parse(stopped.out)).toMatchObject({ processes: [], deadLetters: 3, notes: ['It is stopped.'] });
  await dlqSession(
    (...args) => runCommand('dlq.ts', [...args, '--data-dir', folder]),
    ['first', 'second', 'third'],
  );
  const replayed = JSON.parse((await runCommand('status.ts', ['--json', '--data-dir', folder])).out);
  expect(replayed).toMatchObject({ deadLetters: 0 });
  expect(replayed.partitions[3]).toMatchObject({
    owner: null,
    waiting: 2,
    oldestSeconds: expect.any(Number),
  });
  await withQueue(async (queue) => {
    expect(await collect(queue, 3, 2)).toEqual([
      { id: 'first', body, partition: 3 },
      { id: 'third', body: 'not JSON \u001b[31m', partition: 3 },
    ]);
  });
}, 120_000);

test('without a command it shows how it is used; a folder without data is named', async () => {
  const none = await runCommand('dlq.ts', []);
  expect(none).toMatchObject({ status: 2, out: '' });
  expect(none.err).toContain('bun run dlq replay');
  const empty = await runCommand('dlq.ts', ['list', '--data-dir', join(folder, 'nothing')]);
  expect(empty).toMatchObject({ status: 1, out: '' });
  expect(empty.err).toContain('There is no data of Confab in');
});
