import { afterAll, expect, test } from 'bun:test';
import { vacuumWhenIdle } from '../../src/adapters/embedded/vacuum.ts';
import { createLog } from '../../src/shared/log.ts';
import { eventually } from '../support/eventually.ts';
import { migratedPglite } from '../support/pglite.ts';

const database = await migratedPglite();
const log = createLog({ logLevel: 'silent' }, 'test');
afterAll(() => database.close());

const bytes = async () =>
  (await database.query<{ bytes: number }>(`SELECT pg_relation_size('queued_messages') AS bytes`, []))[0]!
    .bytes;
/** What was queued and is stored leaves its place behind. */
async function passThrough(): Promise<void> {
  await database.query(
    `INSERT INTO queued_messages (partition, id, body) SELECT 0, s::text, repeat('x', 200) FROM generate_series(1, 2000) s`,
    [],
  );
  await database.query('DELETE FROM queued_messages', []);
}

test('what changed is vacuumed once nobody asks anything, and not before', async () => {
  await passThrough();
  expect(await bytes()).toBeGreaterThan(400_000);
  const { database: watched, stop } = vacuumWhenIdle(database, log, { everyMs: 200, idleMs: 40 });
  const began = performance.now();
  while (performance.now() < began + 400) {
    await watched.query('SELECT 1', []);
    await watched.queryText(`SELECT 'one'`, []);
    await Bun.sleep(5);
  }
  // In transactions, too.
  while (performance.now() < began + 700) {
    await watched.orm.transaction((tx) => tx.execute('SELECT 1'));
    await Bun.sleep(5);
  }
  expect(await bytes()).toBeGreaterThan(400_000);
  await eventually('it is vacuumed', async () => (await bytes()) === 0);
  await watched.query('SELECT 1', []);
  await passThrough();
  await eventually('and again', async () => (await bytes()) === 0);
  await stop();
  await passThrough();
  expect(await bytes()).toBeGreaterThan(400_000);
});

test('a worker that beats hinders nothing', async () => {
  await passThrough();
  const { database: watched, stop } = vacuumWhenIdle(database, log, { everyMs: 200 });
  // As often as its clock asks at most.
  const beating = setInterval(() => void watched.query('SELECT 1', []), 1_500);
  try {
    await eventually('it is vacuumed', async () => (await bytes()) === 0);
  } finally {
    clearInterval(beating);
    await stop();
  }
}, 20_000);

test('as long as nobody has asked anything since, nothing is done', async () => {
  let vacuumed = 0;
  const counting = {
    ...database,
    query: async (text: string) => {
      if (text === 'VACUUM chats') vacuumed += 1;
      return [];
    },
  };
  const { stop } = vacuumWhenIdle(counting, log, { everyMs: 10, idleMs: 10 });
  await eventually('it is vacuumed', () => vacuumed === 1);
  await Bun.sleep(100);
  await stop();
  expect(vacuumed).toBe(1);
});

test('a failure is logged, and the next time it is tried again', async () => {
  const warned: unknown[] = [];
  const failing = { ...database, query: () => Promise.reject(new Error('no room')) };
  const warn = { warn: (what: unknown) => void warned.push(what) };
  const { database: watched, stop } = vacuumWhenIdle(failing, warn as never, { everyMs: 10, idleMs: 10 });
  await eventually('it is logged', () => warned.length === 1);
  await watched.query('SELECT 1', []).catch(() => {});
  await eventually('and again', () => warned.length === 2);
  await stop();
});
