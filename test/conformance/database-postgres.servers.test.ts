import { afterAll, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { realServers } from '../support/servers.ts';
import { databaseConformance } from './database.ts';

const servers = await realServers();
let database: Database | undefined;
afterAll(() => database?.close());

databaseConformance('PostgreSQL', async () => {
  database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
  return database;
});

test('a database that is not there answers database_unavailable within 5 s', async () => {
  const absent = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'confab-test' });
  const began = performance.now();
  const error = await absent.query('SELECT 1', []).catch((reason) => reason);
  expect(error).toMatchObject({ code: 'database_unavailable' });
  expect(performance.now() - began).toBeLessThan(5_500);
  await absent.close();
});
