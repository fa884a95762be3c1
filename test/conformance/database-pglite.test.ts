import { afterAll } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { databaseConformance } from './database.ts';

let database: Database | undefined;
afterAll(() => database?.close());

databaseConformance('PGlite', async () => {
  database = await openPglite();
  return database;
});
