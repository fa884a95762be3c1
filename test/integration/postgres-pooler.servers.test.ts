import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import postgresDriver from 'postgres';
import type { PgbouncerSettings } from '../../src/commands/servers/pgbouncer.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import { sessionSettings } from '../../src/db/connector.ts';
import type { Database } from '../../src/db/database.ts';
import { openReadyPostgres, type ReadyPostgresOptions } from '../../src/db/open-ready-postgres.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { storeMessages } from '../../src/db/queries/store-messages.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLog, type Logger } from '../../src/shared/log.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

/** PgBouncer before PostgreSQL: what works does all of it, what does not is refused at the start. */

const servers = await realServers();
const url = new URL(await servers.createDatabase());
const upstreamPort = Number(url.port);
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});
const direct = openPostgres({ url: url.href, applicationName: 'confab-test', maxConnections: 1 });
ends.push(direct.close);

const pooler = (settings: Omit<PgbouncerSettings, 'upstreamPort'>) =>
  servers.createPgbouncer({ upstreamPort, ...settings });
const through = (server: Server) => Object.assign(new URL(url), { port: String(server.port) }).href;

interface Line {
  msg: string;
  sql?: string;
}
async function start(
  server: Server,
  more: Partial<ReadyPostgresOptions> = {},
): Promise<{ database: Database; lines: Line[] }> {
  const lines: Line[] = [];
  const log: Logger = createLog({ logLevel: 'info' }, 'test', {
    write: (line) => void lines.push(JSON.parse(line)),
  });
  const options = {
    url: through(server),
    applicationName: 'confab-test',
    migrates: true,
    waitMs: 60_000,
    log,
  };
  const database = await openReadyPostgres({ ...options, ...more });
  ends.push(database.close);
  return { database, lines };
}
const settingsOf = (database: Database) =>
  database.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[]) ORDER BY name`,
    [Object.keys(sessionSettings)],
  );
const wanted = Object.entries(sessionSettings)
  .map(([name, setting]) => ({ name, setting }))
  .toSorted((one, two) => one.name.localeCompare(two.name, 'en'));

/** Statements of all kinds from many callers at once, each with its own values. */
async function expectRight(database: Database): Promise<void> {
  const [sender, chat] = [newId(), newId()];
  await asRequest(() =>
    inTransaction(database, async (tx) => {
      await tx.execute(`INSERT INTO users (id, display_name) VALUES ('${sender}', 'Sender')`);
      await tx.execute(`INSERT INTO chats (id, is_group, last_event_sequence) VALUES ('${chat}', true, 1)`);
      await tx.execute(`INSERT INTO chat_participants
      (chat_id, user_id, role, created_event_sequence, changed_event_sequence) VALUES ('${chat}', '${sender}', 'owner', 1, 1)`);
    }),
  );
  const message = (content: string) => ({
    ...{ chatId: chat, senderId: sender, brokerMessageId: newId(), clientMessageId: newId(), content },
    sentAt: new Date().toISOString(),
  });
  const callers = Array.from({ length: 40 }, async (_, caller) => {
    for (let time = 0; time < 10; time += 1) {
      const number = caller * 100 + time;
      const kind = number % 5;
      const text = `SELECT $1::int AS n, '${kind}' AS kind, $2::text[] AS list`;
      expect([...(await database.query(text, [number, ['a', String(number)]]))]).toEqual([
        { n: number, kind: String(kind), list: ['a', String(number)] },
      ]);
      const page = await database.queryText(`SELECT ($1::int + ${kind})::text`, [number]);
      expect(Buffer.from(page ?? []).toString()).toBe(String(number + kind));
      if (time === 0) {
        const [outcome] = await storeMessages(database, [message(`message ${caller}`)]);
        expect(outcome?.outcome).toBe('stored');
      }
    }
  });
  await Promise.all(callers);
  const [row] = await direct.query<{ stored: number }>(
    'SELECT count(*)::int AS stored FROM messages WHERE chat_id = $1::uuid',
    [chat],
  );
  expect(row?.stored).toBe(40);
}

describe('session mode', () => {
  test('works, and each session has its settings', async () => {
    const { database, lines } = await start(await pooler({ poolMode: 'session' }));
    expect([...(await settingsOf(database))]).toEqual(wanted);
    expect(lines.filter(({ msg }) => msg.includes('pooler'))).toEqual([]);
    await expectRight(database);
  }, 30_000);

  test('a start parameter that the pooler does not let through is refused at once', async () => {
    const server = await pooler({ poolMode: 'session' });
    const refused = start(server, { url: `${through(server)}?search_path=other` });
    await expect(refused).rejects.toThrow('refuses: unsupported startup parameter: search_path');
  }, 30_000);
});

describe('transaction mode', () => {
  let version: number;
  let server: Server;
  beforeAll(async () => {
    server = await pooler({ poolMode: 'transaction', settings: ['admin_users = postgres'] });
    const console = postgresDriver(`${server.url.replace(/\/[^/]*$/, '/pgbouncer')}`, {
      max: 1,
      fetch_types: false,
    });
    const [row] = await console.unsafe('SHOW VERSION');
    await console.end();
    const [, major, minor] = /(\d+)\.(\d+)/.exec(String(row?.version)) ?? [];
    version = Number(major) * 100 + Number(minor);
    if (version < 121) return;
    await server.stop();
    server = await pooler({ poolMode: 'transaction', settings: ['max_prepared_statements = 100'] });
  }, 30_000);

  test('works where the pooler knows prepared statements; else it is refused at once', async () => {
    const began = runningMs();
    if (version < 121) {
      const refusal = await start(server).catch((error: Error) => error.message);
      expect(refusal).toContain(
        `PostgreSQL at 127.0.0.1:${server.port} refuses: a pooler before it loses prepared`,
      );
      expect(refusal).toContain('PgBouncer 1.21');
      expect(runningMs() - began).toBeLessThan(5_000);
      return;
    }
    const { database, lines } = await start(server);
    const own = start(server, { needsOwnSession: true });
    await expect(own).rejects.toThrow('give this command PostgreSQL itself as DATABASE_URL');
    // No session is given what another would have after it.
    expect([...(await settingsOf(database))]).not.toEqual(wanted);
    const [warning] = lines.filter(({ msg }) => msg.includes('pooler in transaction mode'));
    await expectRight(database);
    // What the warning says to do does it, for sessions that the pooler opens from then on.
    for (const statement of warning?.sql?.split('; ') ?? []) await direct.query(statement, []);
    await server.restart();
    const again = await start(server);
    expect([...(await settingsOf(again.database))]).toEqual(wanted);
    expect(again.lines.filter(({ msg }) => msg.includes('pooler'))).toEqual([]);
    await direct.query(`ALTER ROLE postgres IN DATABASE "${url.pathname.slice(1)}" RESET ALL`, []);
  }, 30_000);

  test('parameters that the pooler ignores make no difference', async () => {
    const ignored = ['extra_float_digits', ...Object.keys(sessionSettings)].join(',');
    const off = version < 121 ? [] : ['max_prepared_statements = 0'];
    const settings = [`ignore_startup_parameters = ${ignored}`, ...off];
    const refused = start(await pooler({ poolMode: 'transaction', settings }));
    await expect(refused).rejects.toThrow('loses prepared statements in transaction mode');
  }, 30_000);

  test('transactions have their timeouts all the same', async () => {
    const database = openPostgres({
      url: through(server),
      applicationName: 'confab-test',
      pooling: 'transaction',
    });
    ends.push(database.close);
    const [inside] = (await database.orm.transaction((tx) =>
      tx.execute(`SELECT current_setting('statement_timeout') AS timeout`),
    )) as unknown as { timeout: string }[];
    expect(inside?.timeout).toBe('4500ms');
  });
});

test('statement mode is refused: it has no transactions', async () => {
  const refused = start(await pooler({ poolMode: 'statement' }));
  await expect(refused).rejects.toThrow('a pooler before it has no transactions');
}, 30_000);

test('a pooler before a PostgreSQL that is away is waited for', async () => {
  const server = await servers.createPgbouncer({
    upstreamPort: 1,
    poolMode: 'session',
    settings: ['server_login_retry = 1', 'query_wait_timeout = 1'],
  });
  const log = createLog({ logLevel: 'silent' }, 'test');
  const options = { applicationName: 'confab-test', migrates: false, waitMs: 1_500, log };
  await expect(openReadyPostgres({ url: through(server), ...options })).rejects.toThrow(
    /was not \w+ within 1.5 s/,
  );
}, 30_000);
