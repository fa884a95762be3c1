import { afterAll } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { databaseConformance } from './database.ts';
import { migrationsConformance } from './database-migrations.ts';

let database: Database | undefined;
afterAll(() => database?.close());

databaseConformance('PGlite', async () => {
  database = await openPglite();
  return database;
});

migrationsConformance('PGlite', async () => {
  database ??= await openPglite();
  await database.query('CREATE SCHEMA other', []);
  await database.query('SET search_path = other', []);
  return database;
});
