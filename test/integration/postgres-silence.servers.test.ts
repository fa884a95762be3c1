import { afterAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/db/postgres.ts';
import type { Flow } from '../../torture/tcp-pipe.ts';
import { createLink, createTcpProxy, type Link } from '../../torture/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { withTls } from '../support/postgres-tls.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

/**
 * A server that has gone without a word, as after a fail-over or behind a firewall that forgot: what is connected stays so
 * and is silent for good, and whoever connects anew is answered. TCP would notice after a quarter of an hour.
 */

const servers = await realServers();
const postgres = await servers.createPostgres();
const authority = await withTls(postgres.url);

const vanish: Flow = { kind: 'drop' };

const admin = openPostgres({ url: postgres.url, applicationName: 'confab-test-admin', maxConnections: 2 });
const ends = [admin.close];
afterAll(async () => {
  for (const end of ends) await end();
});

/** PostgreSQL at the end of a link; `choose` says which link a new connection takes. */
function behind(choose: () => Link, { sslmode = 'verify-full', ...options }: Options = {}): Database {
  const proxy = createTcpProxy(() => [choose()]);
  const url = new URL(postgres.url);
  url.port = String(proxy.port);
  url.searchParams.set('sslmode', sslmode);
  const tls = sslmode === 'disable' ? {} : { ca: authority.cert };
  const database = openPostgres({ url: url.href, applicationName: 'confab-test', tls, ...options });
  ends.push(async () => {
    await database.close();
    await proxy.close();
  });
  return database;
}
type Options = Partial<PostgresOptions> & { sslmode?: string };

/** Connected to one server; once that has fallen silent, whoever connects reaches another. */
function replaced(open: (choose: () => Link) => Database = behind) {
  const [old, fresh] = [createLink(postgres.port), createLink(postgres.port)];
  let now = old;
  const database = open(() => now);
  const fallSilent = (toServer = vanish) => {
    now = fresh;
    old.flow({ toServer, toClient: vanish });
  };
  return { old, database, fallSilent };
}

const answers = (database: Database): Promise<boolean> =>
  database.query('SELECT 1', []).then(Boolean, () => false);
const together = <Result>(count: number, run: () => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, run));
const elapsed = (since: number) => runningMs() - since;

/** All have been used, and at the same time. */
async function allConnected(database: Database, link: Link, count: number): Promise<void> {
  await together(count, () => database.query('SELECT pg_sleep(0.2)', []));
  await eventually('all are connected', () => link.connections === count);
}

test.concurrent('ten connections over TLS, asked one after the other: silence is found within 10 s', async () => {
  const { old, database, fallSilent } = replaced();
  await allConnected(database, old, 10);
  fallSilent();
  const began = runningMs();
  // The first costs its caller 5 s; with it the others are found, which would cost as much each.
  expect(await answers(database)).toBe(false);
  expect(await answers(database)).toBe(true);
  expect(elapsed(began)).toBeLessThan(8_000);
  await eventually('nothing of them is left', () => old.connections === 0);
}, 20_000);

test.concurrent('ten connections over TLS, all in use: the same', async () => {
  const { old, database, fallSilent } = replaced();
  await allConnected(database, old, 10);
  fallSilent();
  const began = runningMs();
  expect(await together(10, () => answers(database))).not.toContain(true);
  expect(await together(10, () => answers(database))).not.toContain(false);
  expect(elapsed(began)).toBeLessThan(8_000);
}, 20_000);

test.concurrent('one silent connection of ten: the nine others answer, and it is replaced', async () => {
  const [silent, well] = [createLink(postgres.port), createLink(postgres.port)];
  let connected = 0;
  const database = behind(() => (connected++ === 0 ? silent : well), { mostSilentMs: 3_000 });
  await together(10, () => database.query('SELECT pg_sleep(0.2)', []));
  expect([silent.connections, well.connections]).toEqual([1, 9]);
  silent.flow({ toServer: vanish, toClient: vanish });
  const began = runningMs();
  const first = await together(10, () => answers(database));
  expect(first.filter((answered) => !answered)).toHaveLength(1);
  expect(await together(20, () => answers(database))).not.toContain(false);
  expect(elapsed(began)).toBeLessThan(5_000);
  expect(silent.connections).toBe(0);
}, 20_000);

for (const [how, sslmode] of [
  ['TLS', 'verify-full'],
  ['plain text', 'disable'],
] as const) {
  const openWith = (choose: () => Link) =>
    behind(choose, { sslmode, maxConnections: 1, mostSilentMs: 3_000 });

  describe(`one connection, ${how}`, () => {
    test.concurrent('silent in the middle of an answer', async () => {
      const { database, fallSilent } = replaced(openWith);
      expect(await answers(database)).toBe(true);
      // A row each 300 ms, each too large to be kept back.
      const sql = `SELECT repeat('x', 20000), pg_sleep(0.3) FROM generate_series(1, 4) -- ${how}`;
      const failed = database.query(sql, []).catch((error) => error);
      await eventually('a row is on its way', async () => {
        const [row] = await admin.query<{ busy: boolean }>(
          `SELECT clock_timestamp() - query_start > interval '0.5 s' AS busy FROM pg_stat_activity WHERE query = $1`,
          [sql],
        );
        return row?.busy === true;
      });
      fallSilent();
      expect(await failed).toMatchObject({ code: 'database_unavailable' });
      await eventually('it answers again', () => answers(database), 3_000);
    }, 20_000);

    test.concurrent('silent with a full send buffer', async () => {
      const { database, fallSilent } = replaced(openWith);
      expect(await answers(database)).toBe(true);
      fallSilent({ kind: 'hold' });
      const large = database.query('SELECT length($1::text)', ['x'.repeat(16 * 2 ** 20)]);
      await expect(large).rejects.toMatchObject({ code: 'database_unavailable' });
      await eventually('it answers again', () => answers(database), 3_000);
    }, 20_000);

    test.concurrent('silent in a transaction: it is not committed, and the next one has another connection', async () => {
      const { database, fallSilent } = replaced(openWith);
      const table = `kept_${how.replace(' ', '_')}`;
      await database.query(`CREATE TABLE ${table} (number int)`, []);
      const failed = database.orm.transaction(async (tx) => {
        await tx.execute(`INSERT INTO ${table} VALUES (1)`);
        fallSilent();
        await tx.execute(`INSERT INTO ${table} VALUES (2)`);
      });
      await expect(failed).rejects.toThrow();
      await eventually('it answers again', () => answers(database), 3_000);
      expect(await database.query(`SELECT * FROM ${table}`, [])).toEqual([]);
    }, 20_000);

    test.concurrent('silent from the beginning: an attempt to connect ends, and the next one has another', async () => {
      const [silent, fresh] = [createLink(postgres.port), createLink(postgres.port)];
      silent.flow({ toClient: vanish });
      let connected = 0;
      const database = openWith(() => (connected++ === 0 ? silent : fresh));
      const began = runningMs();
      expect(await answers(database)).toBe(false);
      await eventually('it answers', () => answers(database));
      expect(elapsed(began)).toBeLessThan(9_000);
      expect(silent.connections).toBe(0);
    }, 20_000);

    test.concurrent('slow is not silent: what takes its time in both directions is waited for', async () => {
      const link = createLink(postgres.port);
      const database = openWith(() => link);
      expect(await answers(database)).toBe(true);
      link.flow({ toServer: { kind: 'delay', ms: 500 }, toClient: { kind: 'delay', ms: 500 } });
      expect(await answers(database)).toBe(true);
      expect(link.connections).toBe(1);
    }, 20_000);
  });
}

test.concurrent('a connection for migrations may be silent for as long as a statement takes', async () => {
  const link = createLink(postgres.port);
  const database = behind(() => link, { maxConnections: 1, mostSilentMs: 86_400_000 });
  await database.orm.transaction(async (tx) => {
    await tx.execute('SET LOCAL statement_timeout = 0');
    const [row] = (await tx.execute('SELECT pg_sleep(5.6), 1 AS one')) as unknown as { one: number }[];
    expect(row?.one).toBe(1);
  });
}, 20_000);
