import { afterAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createAdapters } from '../../src/adapters/adapters.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import type { Database } from '../../src/db/database.ts';
import { openPostgres, type PostgresOptions } from '../../src/db/postgres.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import { createLog } from '../../src/shared/log.ts';
import { createLink, createTcpProxy } from '../../torture/tcp-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const sharedUrl = await servers.createDatabase();
const opened: Database[] = [];
afterAll(async () => {
  for (const database of opened) await database.close();
});

function open(url: string, options: Partial<PostgresOptions> = {}): Database {
  const database = openPostgres({ url, applicationName: 'confab-test', ...options });
  opened.push(database);
  return database;
}
const elapsed = (since: number) => runningMs() - since;
const codeOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

/** So many statements a second, each 5 ms at PostgreSQL and leaving its number. */
function load(database: Database, perSecond: number) {
  const began = runningMs();
  const told = new Map<number, { code: string; at: number }>();
  let asked = 0;
  const ask = () => {
    for (; asked < (elapsed(began) / 1_000) * perSecond; asked += 1) {
      const number = asked;
      const statement = 'WITH slept AS (SELECT pg_sleep(0.005)) INSERT INTO ran SELECT $1::int FROM slept';
      codeOf(database.query(statement, [number])).then((code) => told.set(number, { code, at: runningMs() }));
    }
  };
  const timer = setInterval(ask, 5);
  return {
    told,
    async end() {
      clearInterval(timer);
      await eventually('everybody was told', () => told.size === asked);
    },
  };
}

const ways: [string, (server: Server) => Promise<void>, (server: Server) => Promise<void>][] = [
  ['frozen', (server) => server.pause(), (server) => server.resume()],
  ['killed', (server) => server.kill(), (server) => server.restart()],
];
for (const [way, down, up] of ways) {
  test.concurrent(`${way} for longer than a caller waits: back at once, and nothing is run for nobody`, async () => {
    const server = await servers.createPostgres();
    const admin = open(server.url, { maxConnections: 1 });
    await admin.query('CREATE TABLE ran (number int)', []);
    await admin.query('CREATE TABLE kept (number int)', []);
    // 600 a second at most; half of it is asked for.
    const offered = load(open(server.url, { maxConnections: 3 }), 300);
    await eventually('it flows', () => offered.told.size > 100);
    const single = open(server.url, { maxConnections: 1 });
    await single.query('SELECT 1', []);

    await down(server);
    const asked = runningMs();
    const insert = sql`INSERT INTO kept VALUES (1)`;
    // The first is on its way when nobody answers; the others wait behind it.
    const meanwhile = await Promise.all([
      codeOf(single.query('SELECT 1', [])),
      codeOf(asRequest(() => inTransaction(single, (tx) => tx.execute(insert)))),
      codeOf(single.orm.transaction((tx) => tx.execute(insert))),
      codeOf((async () => single.orm.execute(insert))()),
      codeOf(single.query('INSERT INTO kept VALUES (1)', [])),
    ]);
    expect(elapsed(asked)).toBeLessThan(5_500);
    expect(meanwhile).not.toContain('ok');
    await Bun.sleep(6_500 - elapsed(asked));
    await up(server);

    const back = runningMs();
    await Bun.sleep(2_500);
    await offered.end();
    const answers = [...offered.told];
    const late = answers.filter(([, { code, at }]) => code !== 'ok' && at > back + 2_000);
    expect(late).toEqual([]);
    expect(answers.filter(([, { code, at }]) => code === 'ok' && at > back).length).toBeGreaterThan(400);
    const rows = await admin.query<{ number: number }>('SELECT number FROM ran', []);
    const ran = new Set(rows.map(({ number }) => number));
    const forNobody = answers.filter(([number, { code }]) => code !== 'ok' && ran.has(number));
    expect(forNobody.length).toBeLessThan(20);
    expect(await admin.query('SELECT * FROM kept', [])).toEqual([]);
  }, 40_000);
}

test.concurrent('connections that are cut at any moment end nothing but what was asked on them', async () => {
  const link = createLink(Number(new URL(sharedUrl).port));
  const proxy = createTcpProxy(() => [link]);
  const url = Object.assign(new URL(sharedUrl), { port: String(proxy.port) }).href;
  const database = open(url);
  let over = false;
  // As many callers as ways to ask; what nobody catches fails the test.
  const ways = [
    () => database.query('SELECT pg_sleep(0.005)', []),
    () => database.queryText('SELECT $1::text', ['x'.repeat(5_000)]),
    async () => database.orm.execute(sql`SELECT 1`),
    () =>
      database.orm.transaction(async (tx) => {
        await tx.execute('SELECT 1').catch(() => {});
        await tx.execute('SELECT pg_sleep(0.01)');
      }),
  ];
  let told = 0;
  const callers = Array.from({ length: 32 }, async (_, at) => {
    while (!over) {
      await codeOf(ways[at % ways.length]?.() ?? Promise.resolve());
      told += 1;
    }
  });
  for (let cut = 0; cut < 60; cut += 1) {
    await Bun.sleep(Math.random() * 50);
    link.cut();
  }
  over = true;
  await Promise.all(callers);
  expect(told).toBeGreaterThan(1_000);
  // The last cut may not have been noticed yet.
  await eventually('it answers', async () => (await codeOf(database.query('SELECT 1', []))) === 'ok');
  await proxy.close();
}, 20_000);

describe('who waits for a connection', () => {
  test.concurrent('is told at once when too many do', async () => {
    const database = open(sharedUrl, { maxConnections: 1 });
    await database.query('SELECT 1', []);
    const busy = database.query('SELECT pg_sleep(0.2)', []);
    const codes = Array.from({ length: 2_010 }, () => codeOf(database.query('SELECT 1', [])));
    const refused = Promise.all(codes.slice(2_000));
    expect(await Promise.race([refused, busy])).toEqual(Array(10).fill('server_busy'));
    await busy;
    expect(new Set(await Promise.all(codes.slice(0, 2_000)))).toEqual(new Set(['ok']));
  }, 20_000);

  test.concurrent('a transaction that is given up is rolled back, also when it had begun', async () => {
    const database = open(sharedUrl, { maxConnections: 1 });
    await database.query('CREATE TABLE begun (number int)', []);
    const code = codeOf(
      asRequest(() =>
        inTransaction(database, async (tx) => {
          await tx.execute('INSERT INTO begun VALUES (1)');
          await tx.execute('SELECT pg_sleep(3)');
          await tx.execute('SELECT pg_sleep(3)');
        }),
      ),
    );
    expect(await code).toBe('database_unavailable');
    await eventually(
      'the connection is free',
      async () => (await codeOf(database.query('SELECT 1', []))) === 'ok',
    );
    expect(await database.query('SELECT * FROM begun', [])).toEqual([]);
  }, 20_000);

  test.concurrent('a slow statement holds up nobody, and a slow page of history three at most', async () => {
    const database = open(sharedUrl);
    for (const [slow, quick, heldUp] of [
      [
        () => database.query('SELECT pg_sleep(1.5)', []),
        () => database.query('SELECT pg_sleep(0.005)', []),
        0,
      ],
      [
        () => database.queryText(`SELECT pg_sleep(1.5)::text`, []),
        () => database.queryText(`SELECT pg_sleep(0.005)::text`, []),
        3,
      ],
    ] as const) {
      const end = performance.now() + 1_400;
      let stoodStill = 0;
      const caller = async () => {
        let longest = 0;
        while (performance.now() < end) {
          const began = performance.now();
          await quick();
          longest = Math.max(longest, elapsed(began));
        }
        if (longest > 1_000) stoodStill += 1;
      };
      const callers = Array.from({ length: 63 }, caller);
      await Promise.all([slow(), ...callers]);
      expect(stoodStill).toBeLessThanOrEqual(heldUp);
    }
  }, 20_000);

  test.concurrent("a process's beat waits for no request and no batch", async () => {
    const log = createLog({ logLevel: 'silent' }, 'test');
    const lifecycle = createLifecycle(log);
    const { hostname, port } = new URL(servers.redisUrl);
    const config = parseConfig({
      DATABASE_URL: await servers.createDatabase(),
      REDIS_HOST: hostname,
      REDIS_PORT: port,
    });
    const adapters = await createAdapters(
      { kind: 'servers' },
      { name: 'confab-test', config, log, lifecycle },
    );
    const [database, membership] = await Promise.all([adapters.database(), adapters.membership()]);
    const sleep = () => codeOf(database.query('SELECT pg_sleep(1.5)', []));
    const batches = Array.from({ length: 10 }, sleep);
    const began = performance.now();
    const beat = Promise.withResolvers<void>();
    const seat = await membership.join('worker', { beat: () => beat.resolve(), missed: () => {} });
    await beat.promise;
    expect(elapsed(began)).toBeLessThan(1_000);
    await Promise.all(batches);
    await seat.leave();
    await lifecycle.stop();
  }, 20_000);
});
