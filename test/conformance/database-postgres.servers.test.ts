import { afterAll, expect, test } from 'bun:test';
import { connect, createServer, type Socket } from 'node:net';
import type { Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { databaseConformance } from './database.ts';
import { migrationsConformance } from './database-migrations.ts';

const servers = await realServers();
let database: Database | undefined;
let migrated: Database | undefined;
afterAll(async () => {
  await database?.close();
  await migrated?.close();
});

databaseConformance('PostgreSQL', async () => {
  database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
  return database;
});

migrationsConformance('PostgreSQL, in a schema of its own', async () => {
  const url = new URL(await servers.createDatabase());
  const maker = openPostgres({ url: url.href, applicationName: 'confab-test' });
  await maker.query('CREATE SCHEMA other', []);
  await maker.close();
  url.searchParams.set('search_path', 'other');
  migrated = openPostgres({ url: url.href, applicationName: 'confab-test' });
  return migrated;
});

test('a database that is not there answers database_unavailable within 5 s', async () => {
  const absent = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'confab-test' });
  const began = runningMs();
  const error = await absent.query('SELECT 1', []).catch((reason) => reason);
  expect(error).toMatchObject({ code: 'database_unavailable' });
  expect(runningMs() - began).toBeLessThan(5_500);
  await absent.close();
});

test('a connection that is cut in a transaction takes nothing with it but the transaction', async () => {
  const url = await servers.createDatabase();
  const cut = openPostgres({ url, applicationName: 'cut', maxConnections: 1 });
  const other = openPostgres({ url, applicationName: 'confab-test' });
  try {
    await other.query('CREATE TABLE kept (number int)', []);
    for (const number of [1, 2, 3]) {
      const error = asRequest(() =>
        inTransaction(cut, async (tx) => {
          await tx.execute(`INSERT INTO kept VALUES (${number})`);
          await tx.execute('SELECT pg_sleep(20)');
        }),
      ).catch((reason) => reason);
      const ended = () =>
        other.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut' AND query LIKE '%pg_sleep%'`,
          [],
        );
      await eventually('cutting', async () => (await ended()).length > 0);
      expect(await error).toMatchObject({ code: 'database_unavailable' });
      // What nobody catches would end the process in a later tick: the same connection is used again here.
      const answers = () => cut.query('SELECT 2', []).then(Boolean, () => false);
      await eventually('the next query', answers);
    }
    expect(await other.query('SELECT * FROM kept', [])).toEqual([]);
  } finally {
    await cut.close();
    await other.close();
  }
});

test('a connection that has gone silent is given up, and the next query has another', async () => {
  const url = new URL(await servers.createDatabase());
  const target = { host: url.hostname, port: Number(url.port || 5432) };
  const links: { near: Socket; far: Socket }[] = [];
  const between = createServer((near) => {
    const far = connect(target);
    links.push({ near, far });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('data', (data) => other.write(data));
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const address = between.address();
  url.host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const opened = openPostgres({
    url: url.href,
    applicationName: 'confab-test',
    maxConnections: 1,
    mostSilentMs: 1_000,
  });
  try {
    await opened.query('SELECT 1', []);
    // Silent and open, as after a fail-over that tells nobody.
    for (const { near, far } of links) for (const end of [near, far]) end.removeAllListeners('data').resume();
    const error = await opened.query('SELECT 1', []).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'database_unavailable' });
    expect(await opened.query('SELECT 2 AS two', [])).toEqual([{ two: 2 }]);
    expect(links).toHaveLength(2);
  } finally {
    await opened.close();
    for (const { near } of links) near.destroy();
    between.close();
  }
}, 20_000);
