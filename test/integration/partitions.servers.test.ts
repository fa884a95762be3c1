import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { newId } from '../../src/shared/ids.ts';
import { eventually } from '../support/eventually.ts';
import { historySqlOfBefore, storeSqlOfBefore } from '../support/old-version.ts';
import { realServers } from '../support/servers.ts';
import { migrateUpTo } from '../support/upgrade.ts';

// `messages` becomes 4 partitions while processes of before store and read, the migration is killed, and rows are changed by hand.

const servers = await realServers();
const databases: Database[] = [];
let url: string;
let database: Database;
const open = (applicationName: string, maxConnections?: number): Database => {
  const opened = openPostgres({ url, applicationName, ...(maxConnections ? { maxConnections } : {}) });
  databases.push(opened);
  return opened;
};
/** Somebody else's, who may read. */
const reader = `reader_${newId().slice(-12)}`;
afterAll(() => Promise.all(databases.map((each) => each.close())));

const userId = newId();
const chatIds: string[] = Array.from({ length: 60 }, () => crypto.randomUUID());
const seededEach = 800;
const copied = async () =>
  (await database.query<{ value: string }>(`SELECT value FROM settings WHERE key = 'messages_copied'`, []))[0]
    ?.value;

beforeAll(async () => {
  url = await servers.createDatabase();
  database = open('confab-test');
  await migrateUpTo(database, '0009_messages_by_chat');
  await database.query(`CREATE ROLE ${reader}`, []);
  await database.query(`GRANT SELECT ON messages TO ${reader}`, []);
  await database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'Ann')`, [userId]);
  await database.query(
    `INSERT INTO chats (id, is_group, last_sequence, last_event_sequence)
     SELECT id, true, ${seededEach}, ${seededEach + 1} FROM unnest($1::text[]::uuid[]) AS id`,
    [chatIds],
  );
  await database.query(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
     SELECT id, $2::uuid, 'owner', 1, 1 FROM unnest($1::text[]::uuid[]) AS id`,
    [chatIds, userId],
  );
  await database.query(
    `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
     SELECT chat_id, s, gen_random_uuid(), $2::uuid, gen_random_uuid(), 'seeded', now(), s + 1
     FROM unnest($1::text[]::uuid[]) AS chat_id, generate_series(1, ${seededEach}) AS s`,
    [chatIds, userId],
  );
}, 60_000);

interface Stored {
  id: string;
  chatId: string;
  sequence: number;
}

/** A process of before, with a session and prepared statements of its own, until it is stopped. */
function processOfBefore(name: string) {
  const own = open(name, 1);
  const stored: Stored[] = [];
  let stopped = false;
  async function store(): Promise<void> {
    const batch = Array.from({ length: 8 }, () => ({ id: newId(), chatId: pick(chatIds) }));
    // Delivered twice, as after a crash.
    const last = stored.at(-1);
    if (last) batch.push(last);
    const rows = await own.query<{ outcome: string; sequence: number }>(storeSqlOfBefore, [
      batch.map(({ chatId }) => chatId),
      batch.map(() => userId),
      batch.map(({ id }) => id),
      batch.map(({ id }) => id),
      batch.map(() => 'stored meanwhile'),
      batch.map(() => new Date().toISOString()),
    ]);
    rows.forEach(({ outcome, sequence }, at) => {
      const message = { ...batch[at]!, sequence };
      expect(outcome).toBe(batch[at] === last ? 'repeat' : 'stored');
      if (batch[at] === last) expect(sequence).toBe(last!.sequence);
      else stored.push(message);
    });
  }
  async function read(): Promise<void> {
    const parameters = [pick(chatIds), userId, Number.MAX_SAFE_INTEGER, 50];
    const [page] = await own.query<{ first: number; last: number; messages: number }>(
      historySqlOfBefore,
      parameters,
    );
    expect(page).toMatchObject({ first: page!.last - 49, messages: 50 });
  }
  const running = (async () => {
    while (!stopped) {
      await store();
      await read();
    }
  })();
  running.catch(() => {});
  return {
    stored,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

const pick = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!;

describe('messages are partitioned', () => {
  // Before the databases are dropped: a role is of the server.
  afterAll(async () => {
    await database.query(`DROP OWNED BY ${reader}`, []);
    await database.query(`DROP ROLE ${reader}`, []);
  });
  let stored: Stored[];
  const [deleted, changed] = [
    { chatId: chatIds.toSorted()[0]!, sequence: 7 },
    { chatId: chatIds.toSorted().at(-1)!, sequence: 9 },
  ];

  test('while processes of before store and read; killed again and again, it goes on from where it was', async () => {
    const before = [processOfBefore('confab-worker'), processOfBefore('confab-worker')];
    const migrating = () => migrate(openMigration());
    const openMigration = () => open('confab-migrate');
    const places: string[] = [];
    for (let kill = 0; kill < 2; kill += 1) {
      const place = await copied();
      const killed = migrating().then(
        () => expect.unreachable('it ended before it was killed'),
        (error) => error,
      );
      await eventually('it copies', async () => (await copied()) !== place);
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE '%CALL copy_messages%' AND pid <> pg_backend_pid()`,
        [],
      );
      await killed;
      places.push((await copied())!);
    }
    expect(places).toEqual(places.toSorted());
    expect(new Set(places).size).toBe(2);

    // By hand, of what has been copied and of what has not.
    await database.query('DELETE FROM messages WHERE chat_id = $1::uuid AND sequence = $2', [
      deleted.chatId,
      deleted.sequence,
    ]);
    await database.query(
      `UPDATE messages SET content = 'changed' WHERE chat_id = $1::uuid AND sequence = $2`,
      [changed.chatId, changed.sequence],
    );
    expect(await migrating()).toEqual(
      expect.arrayContaining(['0010_copy_messages', '0011_messages_partitioned']),
    );
    const sessions = before.map(({ stored }) => stored.length);
    await eventually('their sessions go on', () =>
      before.every(({ stored }, at) => stored.length > sessions[at]! + 20),
    );
    for (const one of before) await one.stop();
    stored = before.flatMap((one) => one.stored);
  }, 60_000);

  test('nothing is missing, and nothing is there that was deleted', async () => {
    const rows = await database.query<Stored & { content: string }>(
      'SELECT id, chat_id AS "chatId", sequence, content FROM messages',
      [],
    );
    expect(rows).toHaveLength(chatIds.length * seededEach - 1 + stored.length);
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const message of stored) expect(byId.get(message.id)).toMatchObject(message);
    const at = (of: { chatId: string; sequence: number }) =>
      rows.find((row) => row.chatId === of.chatId && row.sequence === of.sequence);
    expect(at(deleted)).toBeUndefined();
    expect(at(changed)).toMatchObject({ content: 'changed' });
    for (const [chatId, ofChat] of Map.groupBy(rows, (row) => row.chatId)) {
      const last = Math.max(...ofChat.map(({ sequence }) => sequence));
      expect(ofChat).toHaveLength(last - (chatId === deleted.chatId ? 1 : 0));
    }
  });

  test('who might read may do so, and no more', async () => {
    const [may] = await database.query(
      `SELECT has_table_privilege($1, 'messages', 'SELECT') AS read, has_table_privilege($1, 'messages', 'INSERT') AS write`,
      [reader],
    );
    expect(may).toEqual({ read: true, write: false });
  });

  test('they are in 4 partitions, and nothing is left of the copying', async () => {
    const partitions = await database.query<{ rows: number }>(
      'SELECT count(*)::int AS rows FROM messages GROUP BY tableoid',
      [],
    );
    expect(partitions).toHaveLength(4);
    expect(await copied()).toBeUndefined();
    const left = await database.query(
      `SELECT proname AS name FROM pg_proc WHERE proname ~ '^copy_.*messages'
       UNION ALL SELECT relname FROM pg_class WHERE relname ~ '^messages_by_chat'
       UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = 'messages'::regclass`,
      [],
    );
    expect(left).toEqual([]);
  });
});
