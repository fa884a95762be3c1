import { afterAll, expect, test } from 'bun:test';
import type { Pglite } from '../../src/db/pglite.ts';
import { emptyPglite } from '../support/pglite.ts';
import { databaseConformance } from './database.ts';
import { migrationsConformance } from './database-migrations.ts';

let database: Pglite | undefined;
afterAll(() => database?.close());

databaseConformance('PGlite', async () => {
  database = await emptyPglite();
  return database;
});

test('it stands still between two transactions, and meanwhile nobody is answered', async () => {
  database ??= await emptyPglite();
  const { orm, query, standStill } = database;
  const order: string[] = [];
  let still: Promise<void> | undefined;
  const transaction = orm.transaction(async (tx) => {
    await tx.execute('SELECT 1');
    // Longer than a statement takes.
    still = standStill(async () => {
      order.push('copying');
      await Bun.sleep(50);
      order.push('copied');
    });
    await tx.execute('SELECT 2');
    await Bun.sleep(20);
    order.push('committed');
  });
  await Bun.sleep(10);
  const asked = Promise.all([query('SELECT 3', []), orm.execute('SELECT 4')]).then(() =>
    order.push('answered'),
  );
  await Promise.all([transaction, asked]);
  await still;
  expect(order).toEqual(['committed', 'copying', 'copied', 'answered']);
});

test.each(['statements', 'transactions'])(
  'however many %s wait, timers and sockets have their turn between them',
  async (what) => {
    database ??= await emptyPglite();
    const { query, orm } = database;
    const count = 'SELECT count(*) FROM generate_series(1, 20000)';
    const began = performance.now();
    let late = 0;
    let last = began;
    const timer = setInterval(() => {
      const now = performance.now();
      late = Math.max(late, now - last);
      last = now;
    }, 1);
    const all = Array.from({ length: 200 }, () =>
      what === 'statements' ? query(count, []) : orm.transaction((tx) => tx.execute(count)),
    );
    await Promise.all<unknown>(all);
    const took = performance.now() - began;
    late = Math.max(late, performance.now() - last);
    clearInterval(timer);
    // Nothing is shown by statements that are through in no time.
    expect(took).toBeGreaterThan(200);
    expect(late).toBeLessThan(took / 4);
  },
);

test('who starts waits as long as it takes; later whoever has waited for 4 s is told so, and what he asked is not begun', async () => {
  database ??= await emptyPglite();
  const { orm, query, limitWaits } = database;
  await query('CREATE TABLE begun (at int)', []);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const transaction = orm.transaction(async (tx) => {
    await tx.execute('SELECT 1');
    await held;
  });
  const first = query('SELECT 1 AS one', []);
  await Bun.sleep(4_200);
  expect(Bun.peek.status(first)).toBe('pending');
  release();
  await Promise.all([transaction, first]);
  limitWaits();

  const again = Promise.withResolvers<void>();
  const other = orm.transaction(async (tx) => {
    await tx.execute('SELECT 1');
    await again.promise;
  });
  const began = performance.now();
  const waiting = query('INSERT INTO begun VALUES (1)', []);
  await expect(waiting).rejects.toMatchObject({ code: 'database_unavailable', retryAfterSeconds: 2 });
  expect(performance.now() - began).toBeWithin(3_900, 5_000);
  again.resolve();
  await other;
  expect(await query('SELECT * FROM begun', [])).toEqual([]);
});

test('beyond 2,000 that wait it says that it is busy, at once', async () => {
  // One whose statements have all the time that they take.
  const { query, close } = await emptyPglite();
  const asked = await Promise.allSettled(Array.from({ length: 2_100 }, () => query('SELECT 1', [])));
  const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []));
  expect(new Set(refused)).toEqual(new Set(['server_busy']));
  expect(refused.length).toBeWithin(90, 101);
  await close();
});

migrationsConformance('PGlite', async () => {
  database ??= await emptyPglite();
  await database.query('CREATE SCHEMA other', []);
  await database.query('SET search_path = other', []);
  return database;
});
