import { afterAll, expect, test } from 'bun:test';
import { openPglite, type Pglite } from '../../src/db/pglite.ts';
import { databaseConformance } from './database.ts';
import { migrationsConformance } from './database-migrations.ts';

let database: Pglite | undefined;
afterAll(() => database?.close());

databaseConformance('PGlite', async () => {
  database = await openPglite();
  return database;
});

test('while it stands still nobody is answered, in the middle of a transaction neither', async () => {
  database ??= await openPglite();
  const { orm, query, standStill } = database;
  const order: string[] = [];
  let still: Promise<void> | undefined;
  await orm.transaction(async (tx) => {
    await tx.execute('SELECT 1');
    // Longer than a statement takes.
    still = standStill(async () => {
      await Bun.sleep(50);
      order.push('copied');
    });
    await tx.execute('SELECT 2');
    order.push('answered');
  });
  await Promise.all([still, query('SELECT 3', [])]);
  expect(order).toEqual(['copied', 'answered']);
});

migrationsConformance('PGlite', async () => {
  database ??= await openPglite();
  await database.query('CREATE SCHEMA other', []);
  await database.query('SET search_path = other', []);
  return database;
});
