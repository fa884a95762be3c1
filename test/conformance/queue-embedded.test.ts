import { expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import type { Database } from '../../src/db/database.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { embeddedDatabase } from '../support/api-bases.ts';
import { collect, publish, queueConformance } from './queue.ts';

const log = pino({ level: 'silent' });
const database = await embeddedDatabase();

queueConformance('embedded', {
  open: async () => createEmbeddedQueue({ database, log }),
  differs: { oneViewOnly: 'the table is in the one process that has the database open' },
});

test('the publishes of one tick are one insert, and a failed one says so to each', async () => {
  const inserts: number[] = [];
  let failing = false;
  const counted: Database = {
    ...database,
    query: (text, parameters) => {
      if (text.startsWith('INSERT INTO queued_messages')) {
        inserts.push((parameters[0] as unknown[]).length);
        if (failing) return Promise.reject(new Error('disk full'));
      }
      return database.query(text, parameters);
    },
  };
  const queue = createEmbeddedQueue({ database: counted, log });
  const send = await queue.sendQueue();
  const ids = Array.from({ length: 40 }, (_, at) => `coalesced-${at}`);
  await Promise.all(ids.map((id) => send.publish({ id, partition: 100, body: '{}' })));
  expect(inserts).toEqual([40]);

  failing = true;
  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((id) => send.publish({ id, partition: 100, body: '{}' })),
  );
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'broker_unavailable' } });
  }
  failing = false;
  await publish(queue, 100, ['after']);
  expect((await collect(queue, 100, 41)).map(({ id }) => id)).toEqual([...ids, 'after']);
  await queue.close();
});

test('what a process published, and had in hand, outlives its kill -9', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'confab-queue-'));
  const script = `
    import pino from 'pino';
    import { migrate } from '${import.meta.dir}/../../src/db/migrate.ts';
    import { openPglite } from '${import.meta.dir}/../../src/db/pglite.ts';
    import { createEmbeddedQueue } from '${import.meta.dir}/../../src/adapters/embedded/queue.ts';
    const database = await openPglite(${JSON.stringify(join(folder, 'data'))});
    await migrate(database);
    const queue = createEmbeddedQueue({ database, log: pino({ level: 'silent' }) });
    const send = await queue.sendQueue();
    await Promise.all([0, 1, 2].map((at) => send.publish({ id: String(at), partition: 1, body: '{}' })));
    await (await queue.partitionSource()).consume(1, { batchSize: 2, bufferedBatches: 1 }, () => {
      console.log('in hand');
      return new Promise(() => {});
    });`;
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' });
  try {
    for await (const chunk of child.stdout) if (new TextDecoder().decode(chunk).includes('in hand')) break;
    child.kill('SIGKILL');
    await child.exited;
    const reopened = await openPglite(join(folder, 'data'));
    const queue = createEmbeddedQueue({ database: reopened, log });
    expect((await collect(queue, 1, 3)).map(({ id }) => id)).toEqual(['0', '1', '2']);
    await queue.close();
    await reopened.close();
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}, 30_000);
