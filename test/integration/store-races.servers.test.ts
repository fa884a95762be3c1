import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import postgres from 'postgres';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { createPutOutsideUsers, type OutsideUser } from '../../src/auth/put-outside-users.ts';
import { createAddParticipants } from '../../src/chat/add-participants.ts';
import type { Database } from '../../src/db/database.ts';
import { isTimeout } from '../../src/db/errors.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { isStoring, type MessageToStore, storeMessages } from '../../src/db/queries/store-messages.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { eventually } from '../support/eventually.ts';
import { insertChat, type OneChat } from '../support/one-chat.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

/**
 * What a worker that was frozen, and its successor, do to each other: one batch holds the chat's lock while another
 * waits for it. Only a real server has two sessions.
 */
const servers = await realServers();
let database: Database;
let holder: postgres.Sql;
beforeAll(async () => {
  const url = await servers.createDatabase();
  database = openPostgres({ url, applicationName: 'confab-test-waiter' });
  holder = postgres(url, { max: 1, onnotice: () => {} });
  await migrate(database);
}, 30_000);
afterAll(async () => {
  await holder.end({ timeout: 1 });
  await database.close();
});

const createChat = () => insertChat(database);

function messageOf({ chatId, senderId }: OneChat, content: string): MessageToStore {
  const clientMessageId = crypto.randomUUID();
  const brokerMessageId = deriveBrokerMessageId(chatId, senderId, clientMessageId);
  return { brokerMessageId, chatId, senderId, clientMessageId, content, sentAt: '2026-02-14T12:00:00.000Z' };
}

/** Stores in the holder's open transaction. */
async function storeHeld(sql: postgres.TransactionSql, batch: readonly MessageToStore[]): Promise<void> {
  const held: Database = {
    ...database,
    query: async <Row extends object>(text: string, parameters: readonly unknown[]) =>
      [...(await sql.unsafe<Row[]>(text, parameters as never[]))] as Row[],
  };
  await storeMessages(held, batch);
}

/** Runs `before` in a transaction that ends, after `then`, only when `waiting` is seen to wait for a lock of it. */
async function race<Result>(
  before: (sql: postgres.TransactionSql) => Promise<void>,
  waiting: () => Promise<Result>,
  then?: (sql: postgres.TransactionSql) => Promise<void>,
): Promise<Result> {
  let result: Promise<Result> | undefined;
  await holder.begin(async (sql) => {
    await before(sql);
    result = waiting();
    result.catch(() => {});
    await eventually('the other waits for the lock', async () => {
      const rows = await database.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'confab-test-waiter'
        AND datname = current_database() AND wait_event_type = 'Lock'`,
        [],
      );
      return rows.length > 0;
    });
    await then?.(sql);
  });
  return result!;
}

const stored = (chatId: string) =>
  database.query<{ sequence: number; content: string }>(
    'SELECT sequence, content FROM messages WHERE chat_id = $1 ORDER BY sequence',
    [chatId],
  );

test('the same batch committed while its copy waits: all repeats, what is new follows without a gap', async () => {
  const chat = await createChat();
  const [one, two, three] = ['one', 'two', 'three'].map((content) => messageOf(chat, content));
  const outcomes = await race(
    (sql) => storeHeld(sql, [one!, two!]),
    () => storeMessages(database, [one!, two!, three!]),
  );
  expect(outcomes).toMatchObject([
    { outcome: 'repeat', sequence: 1, eventSequence: 1 },
    { outcome: 'repeat', sequence: 2, eventSequence: 2 },
    { outcome: 'stored', sequence: 3, eventSequence: 3 },
  ]);
  expect(await stored(chat.chatId)).toEqual([
    { sequence: 1, content: 'one' },
    { sequence: 2, content: 'two' },
    { sequence: 3, content: 'three' },
  ]);
});

test('another batch committed while one waits: numbers go on from it', async () => {
  const chat = await createChat();
  const outcomes = await race(
    (sql) => storeHeld(sql, [messageOf(chat, 'first'), messageOf(chat, 'second')]),
    () => storeMessages(database, [messageOf(chat, 'third')]),
  );
  expect(outcomes).toMatchObject([{ outcome: 'stored', sequence: 3 }]);
  expect((await stored(chat.chatId)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
});

test('a sender removed while the batch waits is not stored', async () => {
  const chat = await createChat();
  const outcomes = await race(
    async (sql) => {
      await sql`SELECT FROM chats WHERE id = ${chat.chatId} FOR UPDATE`;
      await sql`UPDATE chat_participants SET left_at = now() WHERE chat_id = ${chat.chatId}`;
    },
    () => storeMessages(database, [messageOf(chat, 'too late')]),
  );
  expect(outcomes).toMatchObject([{ outcome: 'not_participant' }]);
  expect(await stored(chat.chatId)).toEqual([]);
});

test('a batch that is rolled back leaves nothing, and the one that waited begins at 1', async () => {
  const chat = await createChat();
  let waiting: ReturnType<typeof storeMessages> | undefined;
  const rolledBack = race(
    (sql) => storeHeld(sql, [messageOf(chat, 'lost')]),
    () => {
      waiting = storeMessages(database, [messageOf(chat, 'kept')]);
      throw new Error('roll back');
    },
  );
  await expect(rolledBack).rejects.toThrow('roll back');
  expect(await waiting).toMatchObject([{ outcome: 'stored', sequence: 1 }]);
  expect(await stored(chat.chatId)).toEqual([{ sequence: 1, content: 'kept' }]);
});

test('many batches over the same chats in other orders: no deadlock, every chat 1..n', async () => {
  const chats = await Promise.all(Array.from({ length: 5 }, createChat));
  const batches = Array.from({ length: 40 }, (_, at) => {
    const batch = chats.flatMap((chat) => [messageOf(chat, `${at} a`), messageOf(chat, `${at} b`)]);
    return at % 2 === 0 ? batch : batch.toReversed();
  });
  // Every batch twice, as when a partition had two consumers for a moment.
  const outcomes = await Promise.all([...batches, ...batches].map((batch) => storeMessages(database, batch)));
  const counts = Map.groupBy(outcomes.flat(), ({ outcome }) => outcome);
  expect(counts.get('stored')?.length).toBe(400);
  expect(counts.get('repeat')?.length).toBe(400);
  for (const { chatId } of chats) {
    const rows = await stored(chatId);
    expect(rows.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 80 }, (_, at) => at + 1));
  }
});

test('a batch whose chat stays locked hears of it in time, and meanwhile storing is known to work', async () => {
  const chat = await createChat();
  await holder.begin(async (sql) => {
    await sql`SELECT FROM chats WHERE id = ${chat.chatId} FOR UPDATE`;
    const began = runningMs();
    const storing = storeMessages(database, [messageOf(chat, 'held up')]).catch((error) => error);
    expect(await isStoring(database)).toBe(true);
    const error = await storing;
    expect(error).toMatchObject({ code: 'database_unavailable' });
    expect(isTimeout(error)).toBe(true);
    expect(runningMs() - began).toBeLessThan(4_900);
  });
  expect(await stored(chat.chatId)).toEqual([]);
}, 10_000);

for (const locked of [
  'messages IN ACCESS EXCLUSIVE MODE',
  // As an index that is made, or a VACUUM FULL, of one partition.
  'messages_p3 IN SHARE MODE',
  'messages_p3 IN ACCESS EXCLUSIVE MODE',
  'chats IN ACCESS EXCLUSIVE MODE',
  'mentions IN ACCESS EXCLUSIVE MODE',
  'chat_participants IN ACCESS EXCLUSIVE MODE',
]) {
  test(`while somebody has locked ${locked}, storing is known not to work`, async () => {
    await holder.begin(async (sql) => {
      await sql.unsafe(`LOCK TABLE ${locked}`);
      expect(await isStoring(database)).toBe(false);
    });
    expect(await isStoring(database)).toBe(true);
  });
}

describe('users who come and go in many chats at once', () => {
  const created = async (count: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, newId);
    await database.query(`INSERT INTO users (id, display_name) SELECT unnest($1::uuid[]), 'User'`, [ids]);
    return ids;
  };
  const enterSql = `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
    SELECT $1::uuid, id, 'member', 1, 1 FROM unnest($2::uuid[]) AS id`;
  const versions = async (userIds: readonly string[]) => {
    const rows = await database.query<{ version: number }>(
      'SELECT DISTINCT membership_version AS version FROM users WHERE id = ANY ($1::uuid[])',
      [userIds],
    );
    return rows.map(({ version }) => version);
  };

  test('by statements of anybody, in any order: no deadlock, and every change counts', async () => {
    const userIds = await created(200);
    const chats = await Promise.all(Array.from({ length: 12 }, createChat));
    await Promise.all(
      chats.map(({ chatId }, at) =>
        database.query(enterSql, [chatId, at % 2 === 0 ? userIds : userIds.toReversed()]),
      ),
    );
    expect(await versions(userIds)).toEqual([12]);
    const leave = `UPDATE chat_participants SET left_at = now() WHERE chat_id = $1 AND user_id = ANY ($2::uuid[])`;
    await Promise.all(chats.map(({ chatId }) => database.query(leave, [chatId, userIds])));
    expect(await versions(userIds)).toEqual([24]);
  });

  test('by the api, some new and some who come back, beside batches of the same chats: no deadlock', async () => {
    const userIds = await created(60);
    const [even, odd] = [0, 1].map((rest) => userIds.filter((_, at) => at % 2 === rest));
    const add = createAddParticipants({
      database,
      facts: createEmbeddedFacts(),
      presence: createEmbeddedPresence(),
      announce: async () => {},
      maxParticipants: 10_000,
    });
    for (let round = 0; round < 5; round += 1) {
      const chats = await Promise.all(Array.from({ length: 6 }, createChat));
      // In each chat one half has been before, which comes back; in the next one it is the other half.
      for (const [at, { chatId }] of chats.entries()) {
        await database.query(enterSql, [chatId, at % 2 === 0 ? even : odd]);
        await database.query(
          `UPDATE chat_participants SET left_at = now() WHERE chat_id = $1 AND user_id = ANY ($2::uuid[])`,
          [chatId, userIds],
        );
      }
      await Promise.all([
        ...chats.map(({ chatId, senderId }) =>
          asRequest(() => add({ chatId, actorId: senderId, userIds, audit: () => {} })),
        ),
        ...chats.map((chat) => storeMessages(database, [messageOf(chat, 'meanwhile')])),
      ]);
    }
  }, 20_000);
});

const putUsers = (users: readonly OutsideUser[]) =>
  asRequest(() => createPutOutsideUsers(database, 'confab')(users));

test('users brought up to date in bulk are locked in the order of their ids, as by who adds them: no deadlock', async () => {
  const ids = [newId(), newId()];
  const externalIds = ['z', 'a'];
  await database.query(
    `INSERT INTO users (id, issuer, external_id, display_name)
    SELECT id, 'confab', external_id, 'Before' FROM unnest($1::uuid[], $2::text[]) AS i (id, external_id)`,
    [ids, externalIds],
  );
  const lock = (sql: postgres.TransactionSql, id: string | undefined) =>
    sql.unsafe('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [id!]);
  const users = await race(
    async (sql) => void (await lock(sql, ids[0])),
    () => putUsers([...externalIds, 'm'].map((externalId) => ({ externalId, displayName: 'After' }))),
    async (sql) => void (await lock(sql, ids[1])),
  );
  expect(users.map(({ user, created }) => [user.displayName, created])).toEqual([
    ['After', false],
    ['After', false],
    ['After', true],
  ]);
});

test('many who bring the same users up to date in bulk, in other orders, beside others who make them: no deadlock', async () => {
  const shuffled = <One>(all: readonly One[]) =>
    all
      .map((one) => [Math.random(), one] as const)
      .sort(([a], [b]) => a - b)
      .map(([, one]) => one);
  for (let round = 0; round < 6; round += 1) {
    const all = Array.from({ length: 60 }, (_, at) => ({
      ...{ externalId: `${round}|${Math.random()}`, email: `${crypto.randomUUID()}@example.com` },
      displayName: `User ${at}`,
    }));
    const some = Array.from({ length: 12 }, () => shuffled(all).slice(0, 40));
    const answers = await Promise.all(some.map(putUsers));
    for (const [at, users] of answers.entries())
      expect(users.map(({ user: { externalId, email } }) => [externalId, email])).toEqual(
        some[at]!.map(({ externalId, email }) => [externalId, email]),
      );
    const made = answers.flat().filter(({ created }) => created);
    expect(made).toHaveLength(new Set(some.flat()).size);
  }
}, 30_000);
