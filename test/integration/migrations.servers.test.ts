import { afterAll, describe, expect, test } from 'bun:test';
import postgres from 'postgres';
import { assertMigrated, migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { storeMessages } from '../../src/db/queries/store-messages.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { migrationFolders } from '../conformance/database-migrations.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const versions = migrationFolders();
const undo: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

function open(url: string) {
  const database = openPostgres({ url, applicationName: 'confab-test' });
  undo.push(() => database.close());
  return database;
}

/** A session beside the program's, as an operator has. */
function session(url: string, name: string) {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: name } });
  undo.push(() => sql.end({ timeout: 1 }));
  return sql;
}

/** The lines that were logged. */
function listening() {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ logLevel: 'info' }, 'test', { write: (line) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

describe('while a backup reads a table', () => {
  for (const [how, header] of [
    ['in one transaction', ''],
    ['outside a transaction', '-- no transaction\n'],
  ]) {
    test(`a migration ${how} waits for a moment at a time, says for whom, and nobody stands still behind it`, async () => {
      const url = await servers.createDatabase();
      const database = open(url);
      const first = { '0000_first': 'CREATE TABLE first (a int)' };
      await migrate(database, { folder: await versions(first) });
      const folder = await versions({
        ...first,
        '0001_second': `${header}ALTER TABLE first ADD COLUMN b int`,
      });
      const { log, lines } = listening();
      const backup = session(url, 'pg_dump');
      let migrating: Promise<string[]> | undefined;
      await backup.begin(async (sql) => {
        await sql`LOCK TABLE first IN ACCESS SHARE MODE`;
        migrating = migrate(database, { folder, log, lockTimeoutMs: 200 });
        migrating.catch(() => {});
        await eventually('it has given up once', () => lines.length > 0);
        expect(lines[0]).toMatchObject({
          migration: '0001_second',
          msg: 'waiting for locks that others hold',
        });
        expect(lines[0]?.holders).toEqual([
          expect.stringMatching(/^pg_dump \(process \d+, idle in transaction, /),
        ]);
        // Whoever comes meanwhile waits no longer than the migration does.
        for (let round = 0; round < 3; round += 1) await database.query('SELECT count(*) FROM first', []);
      });
      expect(await migrating).toEqual(['0001_second']);
      await assertMigrated(database, { folder });
    }, 20_000);
  }
});

test('two that begin together do each migration once, one waiting for the other', async () => {
  const url = await servers.createDatabase();
  const folder = await versions({
    '0000_first': 'CREATE TABLE first AS SELECT 1 AS a',
    '0001_index': '-- no transaction\nCREATE INDEX CONCURRENTLY first_a ON first (a)',
  });
  const { log, lines } = listening();
  const one = session(url, 'a long reader');
  let both: Promise<string[][]> | undefined;
  // The index waits for whoever read before it, so one of the two is in the middle while the other comes.
  await one.begin('isolation level repeatable read', async (sql) => {
    await sql`SELECT 1`;
    const watcher = session(url, 'a watcher');
    both = Promise.all([migrate(open(url), { folder, log }), migrate(open(url), { folder, log })]);
    both.catch(() => {});
    await eventually('the index waits, and so does the other', async () => {
      const building =
        await watcher`SELECT FROM pg_stat_activity WHERE query LIKE '%first_a%' AND wait_event_type = 'Lock'`;
      return building.length > 0 && lines.length > 0;
    });
    await Bun.sleep(700);
    // Who waits is in no transaction, for which an index could wait in turn.
    expect(
      await watcher`SELECT FROM pg_stat_activity WHERE application_name = 'confab-test' AND datname = current_database()
        AND state = 'idle in transaction' AND xact_start < clock_timestamp() - interval '500 ms'`,
    ).toHaveLength(1);
  });
  expect((await both)?.flat()).toEqual(['0000_first', '0001_index']);
  expect(lines.map(({ msg }) => msg)).toEqual([
    'another process brings the schema up to date; waiting for it',
  ]);
}, 20_000);

test('a migration takes longer than any other statement may', async () => {
  const first = { '0000_first': 'CREATE TABLE first AS SELECT 1 AS a' };
  const sleeping = async () => {
    const folder = await versions({ ...first, '0001_sleep': 'SELECT pg_sleep(5)' });
    return migrate(open(await servers.createDatabase()), { folder });
  };
  const waiting = async () => {
    const url = await servers.createDatabase();
    const folder = await versions({
      ...first,
      '0001_index': '-- no transaction\nCREATE INDEX CONCURRENTLY first_a ON first (a)',
    });
    const reader = session(url, 'a long reader');
    const { log, lines } = listening();
    let migrating: Promise<string[]> | undefined;
    await reader.begin('isolation level repeatable read', async (sql) => {
      await sql`SELECT 1`;
      migrating = migrate(open(url), { folder, log });
      migrating.catch(() => {});
      await sql`SELECT pg_sleep(5)`;
    });
    expect(lines).toMatchObject([
      { migration: '0001_index', msg: expect.stringContaining('waits for every transaction that is older') },
    ]);
    return migrating;
  };
  expect(await Promise.all([sleeping(), waiting()])).toEqual([
    ['0000_first', '0001_sleep'],
    ['0000_first', '0001_index'],
  ]);
}, 20_000);

test('all migrations go into the schema that the connection searches, beside one in public', async () => {
  const url = new URL(await servers.createDatabase());
  await migrate(open(url.href));
  const admin = session(url.href, 'admin');
  await admin`CREATE SCHEMA tenant`;
  url.searchParams.set('search_path', 'tenant');
  const database = open(url.href);
  await expect(assertMigrated(database)).rejects.toThrow(/behind/);
  await migrate(database);
  await assertMigrated(database);
  const references = await admin`SELECT conname, confrelid::regclass::text AS to FROM pg_constraint
    WHERE contype = 'f' AND conrelid::regclass::text LIKE 'tenant.%'`;
  expect(references.length).toBeGreaterThanOrEqual(4);
  expect(references.filter(({ to }) => !to.startsWith('tenant.'))).toEqual([]);

  // Everything works in there, also for who writes from another search_path.
  const ids = { chatId: newId(), senderId: newId(), clientMessageId: newId() };
  const { chatId, senderId, clientMessageId } = ids;
  await admin`INSERT INTO tenant.users (id, display_name) VALUES (${senderId}, 'Ann')`;
  await admin`INSERT INTO tenant.chats (id, is_group) VALUES (${chatId}, true)`;
  await admin`INSERT INTO tenant.chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
    VALUES (${chatId}, ${senderId}, 'owner', 0, 0)`;
  const brokerMessageId = deriveBrokerMessageId(chatId, senderId, clientMessageId);
  const message = { ...ids, brokerMessageId, content: 'here', sentAt: new Date().toISOString() };
  expect(await storeMessages(database, [message])).toMatchObject([{ outcome: 'stored', sequence: 1 }]);
  expect(await admin`SELECT membership_version::int AS version FROM tenant.users`).toMatchObject([
    { version: 1 },
  ]);
  expect(await admin`SELECT FROM public.messages`).toHaveLength(0);
});

describe('a role that may not', () => {
  const [role, password] = [`app_${newId().slice(-12)}`, 'not a secret'];
  let url: URL;
  afterAll(async () => {
    await session(url.href, 'admin').unsafe(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });
  const asRole = () => Object.assign(new URL(url), { username: role, password }).href;

  test('create tables is told so, with what mends it, and then can', async () => {
    url = new URL(await servers.createDatabase());
    const admin = session(url.href, 'admin');
    await admin.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
    await admin`REVOKE CREATE ON SCHEMA public FROM public`;
    const failed = await migrate(open(asRole())).catch((error) => error);
    expect(failed.message).toContain('permission denied for schema public');
    expect(failed.message).not.toContain('Failed query');
    const [mend] = /GRANT [^)]+/.exec(failed.message) ?? [''];
    expect(mend).toBe(`GRANT USAGE, CREATE ON SCHEMA public TO ${role}`);
    await admin.unsafe(mend);
    expect((await migrate(open(asRole()))).length).toBeGreaterThan(3);
  });

  test('read what was migrated is told so', async () => {
    const admin = session(url.href, 'admin');
    await admin.unsafe(
      `REASSIGN OWNED BY ${role} TO CURRENT_USER; REVOKE ALL ON recorded_migrations FROM ${role}`,
    );
    await expect(assertMigrated(open(asRole()))).rejects.toThrow(
      /record of migrations cannot be read: permission denied/,
    );
  });

  test('find any schema that it searches is told so', async () => {
    const nowhere = new URL(url);
    nowhere.searchParams.set('search_path', 'nowhere');
    await expect(migrate(open(nowhere.href))).rejects.toThrow(/no schema has been selected.*CREATE SCHEMA/);
  });
});
