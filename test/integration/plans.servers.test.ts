import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createDatabase } from '../../harness/servers.ts';
import { createEmbeddedFacts } from '../../src/adapters/embedded/admission.ts';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { createFindUsers } from '../../src/auth/find-users.ts';
import { kinds } from '../../src/changes/kinds.ts';
import { createReadChanges } from '../../src/changes/read-changes.ts';
import { createRemoveParticipant } from '../../src/chat/remove-participant.ts';
import { createSetRole } from '../../src/chat/set-role.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { deleteMessage, editMessage } from '../../src/db/queries/change-message.ts';
import { chatListStart, listChats, readChat, readChats } from '../../src/db/queries/chats.ts';
import { readHistory, readMessage, readStored } from '../../src/db/queries/history.ts';
import { readLiveChats } from '../../src/db/queries/live-chats.ts';
import {
  readHeads,
  readMembershipStates,
  readMemberships,
  readParticipations,
} from '../../src/db/queries/memberships.ts';
import { readOwnMemberships } from '../../src/db/queries/own-memberships.ts';
import { listParticipants, mayPost, participantsStart, readSize } from '../../src/db/queries/participants.ts';
import { readDirectChats, readPresence, writeLastSeen } from '../../src/db/queries/presence.ts';
import { purgeDeletedChat } from '../../src/db/queries/purge-deleted-chat.ts';
import { listReactions, reactorsStart, writeReactions } from '../../src/db/queries/reactions.ts';
import { type MessageToStore, storeMessages } from '../../src/db/queries/store-messages.ts';
import { readUnreadTotals } from '../../src/db/queries/unread-totals.ts';
import { updateChat } from '../../src/db/queries/update-chat.ts';
import { writeMemberships } from '../../src/db/queries/write-memberships.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import type { ChatError } from '../../src/shared/errors.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { realServers } from '../support/servers.ts';

/**
 * A session keeps the plans that it made, and PostgreSQL makes others only after the next ANALYZE. Here every plan of the
 * hot paths is made on tables that were empty at the last ANALYZE and are empty or small; then they grow, and what each
 * statement reads is counted.
 */
const servers = await realServers();
/** For this file alone: what a long transaction in any database keeps of dead rows is read here, too. */
const server = await servers.createPostgres();
const newDatabase = async () => (await createDatabase(server.url)).url;
const presence = createEmbeddedPresence();
const chats = 40;
const each = 250;
const most: Record<string, number> = {
  'a batch of 64': 64 * 3 + chats,
  'a batch of 64 answers that mention two': 64 * 5 + chats,
  'what was stored of answers': 64 * 2,
  // Twice what decides, before the lock and under it.
  'an edit': 26,
  'a deletion': 32,
  // Twice what decides, and ten of those who have reacted.
  'a reaction': 50,
  'the chats of a user': 2 * chats + 4,
  'who shares a chat': 2 * chats + 8,
  'who is online': 2 * chats + 10,
  'the chats that are told of a user': 2 * chats + 4,
  // Of each what was said after the marker, some forty messages.
  'a chat': 80,
  'a chat as another sees it': 80,
  'a read': 150,
  'the list of chats': 11 * 60,
  'what was read since': chats * 60,
  'what was read since, where it is too much': 2 * chats + 10,
  'the list of unread chats': chats * 50,
  'what is unread': chats * 50,
  'the direct chats of who comes': 2 * chats + 10,
};

/** Entries of indexes and rows of tables that this session has read. */
async function readSoFar(database: Database): Promise<number> {
  await database.query('SELECT pg_stat_force_next_flush()', []);
  const [row] = await database.query<{ read: number }>(
    `SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
       + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) AS read`,
    [],
  );
  return Number(row?.read);
}

async function readBy(database: Database, run: () => Promise<unknown>): Promise<number> {
  const before = await readSoFar(database);
  await run();
  return (await readSoFar(database)) - before;
}

for (const planned of [0, 1, 20]) {
  describe(`with plans made at ${planned} messages a chat`, () => {
    let database: Database;
    const chatIds = Array.from({ length: chats }, newId);
    const [chatId = '', userId] = [chatIds[0], newId()];
    /** Where few take part: a chat object counts them. */
    const quietId = chatIds[1] ?? '';

    const batchOf = (size: number): MessageToStore[] =>
      Array.from({ length: size }, (_, at) => {
        const ids = { chatId: chatIds[at % chats] ?? '', senderId: userId, clientMessageId: newId() };
        const brokerMessageId = deriveBrokerMessageId(ids.chatId, ids.senderId, ids.clientMessageId);
        return { ...ids, brokerMessageId, content: 'hello', sentAt: new Date().toISOString() };
      });

    const answersOf = (size: number): MessageToStore[] =>
      batchOf(size).map((message) => ({
        ...message,
        ...{ replyTo: newId(), mentions: { userIds: [userId, newId()] }, metadata: { a: 1 } },
      }));

    /** Each read is further. */
    let readTo = 1;
    const stored: { chatId: string; messageId: string }[] = [];
    let edits = 0;
    const nextEdit = () => {
      edits += 1;
      return { content: `edit ${edits}`, mentions: { userIds: edits % 2 ? [userId] : [] } };
    };
    const none = { chatId, messageId: newId() };
    let reactions = 0;
    const nextReaction = () => {
      reactions += 1;
      return { userId, key: ':all:', present: reactions % 2 === 1 };
    };

    const statements: Record<string, () => Promise<unknown>> = {
      'a batch of 64': () => storeMessages(database, batchOf(64)),
      'a batch of 64 answers that mention two': () => storeMessages(database, answersOf(64)),
      'what was stored of answers': () =>
        readStored(
          database,
          chatIds.concat(chatIds.slice(0, 24)).map((id) => ({ chatId: id, sequence: 1 })),
        ),
      'an edit': () =>
        editMessage(
          database,
          { ...(stored[0] ?? none), actorId: userId, byService: false },
          nextEdit(),
          undefined,
        ),
      'a deletion': () => deleteMessage(database, { ...(stored.pop() ?? none), actorId: userId }),
      'a reaction': () => {
        const { chatId, messageId } = stored[0] ?? none;
        return writeReactions(database, chatId, [{ messageId, ...nextReaction() }]);
      },
      'who has reacted': () => {
        const { chatId, messageId } = stored[0] ?? none;
        return listReactions(database, { chatId, userId, messageId, key: ':all:' }, reactorsStart, 10);
      },
      'the newest page': () => readHistory(database, chatId, userId, { before: Number.MAX_SAFE_INTEGER }, 20),
      'a page further back': () => readHistory(database, chatId, userId, { before: 200 }, 20),
      'a page forwards': () => readHistory(database, chatId, userId, { after: 30 }, 20),
      'a message': () => readMessage(database, chatId, userId, newId()),
      'the changes after a number': () =>
        createReadChanges(kinds, { database, presence })([{ chatId, after: 200 }], 10, userId),
      'a chat': () => readChat(database, quietId, userId),
      'a chat as another sees it': () => readChats(database, [{ chatId: quietId, userId }]),
      'what became of somebody in a chat': () => readParticipations(database, [userId], [chatId]),
      'whether they are in it': () => readMembershipStates(database, [{ userId, chatId }]),
      'how far a chat is': () => readHeads(database, [chatId]),
      'a page of participants': () => listParticipants(database, chatId, userId, participantsStart, 7),
      'the chats of a user': () => readMemberships(database, [userId]),
      'the list of chats': () => listChats(database, userId, undefined, chatListStart, 10),
      'the list of unread chats': () => listChats(database, userId, 'unread', chatListStart, 10),
      'what is unread': () => readUnreadTotals(database, userId),
      'what was read since': () => readOwnMemberships(database, [{ userId, since: 0 }], chats),
      'what was read since, where it is too much': () =>
        readOwnMemberships(database, [{ userId, since: 0 }], chats - 1),
      'a read': () => writeMemberships(database, [{ userId, chatId, readTo: readTo++ }]),
      'a change of a chat': () =>
        updateChat(database, { chatId, actorId: userId, changes: { name: `name ${edits++}` } }),
      'who shares a chat': () =>
        createFindUsers(database).byIds({ userIds: [newId(), userId], viewerId: userId }),
      'the chats that are told of a user': () => readLiveChats(database, userId, 100),
      'whether somebody may post': () => mayPost(database, chatId, userId),
      'how many take part': () => readSize(database, chatId),
      'who is online': () => readPresence(database, userId, [userId]),
      'the direct chats of who comes': () => readDirectChats(database, [userId], { shows: true, awayMs: 0 }),
      'the end of a socket': () => writeLastSeen(database, new Map([[userId, 0]])),
    };

    async function fill(messagesEach: number): Promise<void> {
      for (let left = messagesEach; left > 0; left -= 10) {
        const size = chats * Math.min(10, left);
        // The first of each chat is an answer.
        const batch = left === messagesEach ? answersOf(size) : batchOf(size);
        const outcomes = await storeMessages(database, batch);
        stored.push(...batch.map((one) => ({ chatId: one.chatId, messageId: one.brokerMessageId })));
        expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['stored']));
      }
    }

    async function createChats(): Promise<void> {
      await database.query(`INSERT INTO users (id, display_name, own_changes) VALUES ($1::uuid, 'Ann', 1)`, [
        userId,
      ]);
      await database.query(
        `INSERT INTO chats (id, is_group, last_event_sequence) SELECT id, true, 1 FROM unnest($1::text[]::uuid[]) AS id`,
        [chatIds],
      );
      await database.query(
        `INSERT INTO chat_participants
           (chat_id, user_id, role, created_event_sequence, changed_event_sequence, last_read_sequence, membership_version)
         SELECT id, $2::uuid, 'owner', 1, 1, $3::bigint, 1 FROM unnest($1::text[]::uuid[]) AS id`,
        [chatIds, userId, planned + each],
      );
    }

    /** Into one of the chats, with a number that its messages have left behind. */
    async function crowd(): Promise<void> {
      const newcomers = Array.from({ length: 300 }, newId);
      await database.query(`INSERT INTO users (id, display_name) SELECT unnest($1::uuid[]), 'One of many'`, [
        newcomers,
      ]);
      await database.query(
        `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
         SELECT $1::uuid, unnest($2::uuid[]), 'member', 1, 1`,
        [chatId, newcomers],
      );
      await database.query(
        `INSERT INTO reactions (chat_id, user_id, sequence, key, reacted_at)
         SELECT $1::uuid, u, s, k, now() FROM unnest($2::uuid[]) AS u, generate_series(1, 20) AS s,
           unnest('{:all:,:few:}'::text[]) AS k`,
        [chatId, newcomers],
      );
      // Chats in which nothing is said.
      await database.query(
        'INSERT INTO chats (id, is_group) SELECT gen_random_uuid(), true FROM generate_series(1, 400)',
        [],
      );
    }

    beforeAll(async () => {
      const url = await newDatabase();
      // One session: its plans are the ones that count.
      const open = () => openPostgres({ url, applicationName: 'confab-test-plans', maxConnections: 1 });
      database = open();
      await migrate(database);
      const parts = await database.query<{ name: string }>(
        `SELECT relid::regclass::text AS name FROM pg_partition_tree('messages') WHERE isleaf`,
        [],
      );
      expect(parts).toHaveLength(4);
      for (const table of [
        'users',
        'chats',
        'chat_participants',
        'chat_changes',
        'reactions',
        ...parts.map(({ name }) => name),
      ]) {
        await database.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`, []);
        await database.query(`VACUUM (ANALYZE) ${table}`, []);
      }
      if (planned > 0) {
        await createChats();
        await fill(planned);
      }
      await database.close();
      database = open();
      // PostgreSQL makes a plan to keep at the sixth time.
      for (let time = 0; time < 8; time += 1) for (const run of Object.values(statements)) await run();
      if (planned === 0) await createChats();
      await crowd();
      await fill(each);
    }, 60_000);
    afterAll(() => database.close());

    for (const [name, run] of Object.entries(statements)) {
      test(`${name} reads no more than it needs`, async () => {
        // Of a message the chat, twice, and the participant, and once more each chat; of a page its rows, the chat and the
        // participant, and of a participant the user, which has an entry more since it came in.
        expect(await readBy(database, run)).toBeLessThanOrEqual(most[name] ?? 22);
      });
    }
  });
}

describe('with a large chat, and somebody who is in many', () => {
  let database: Database;
  const [crowded, sender] = [newId(), newId()];
  const batch = () =>
    Array.from({ length: 64 }, () => {
      const ids = { chatId: crowded, senderId: sender, clientMessageId: newId() };
      const brokerMessageId = deriveBrokerMessageId(ids.chatId, ids.senderId, ids.clientMessageId);
      return { ...ids, brokerMessageId, content: 'hello', sentAt: new Date().toISOString() };
    });
  /** Pages of indexes and tables that were looked at. */
  async function pages(): Promise<number> {
    await database.query('SELECT pg_stat_force_next_flush()', []);
    const [row] = await database.query<{ pages: number }>(
      `SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read) AS pages FROM pg_statio_user_tables`,
      [],
    );
    return Number(row?.pages);
  }
  async function pagesOfBatch(): Promise<number> {
    const before = await pages();
    const outcomes = await storeMessages(database, batch());
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['stored']));
    return (await pages()) - before;
  }
  let small: number;

  beforeAll(async () => {
    const url = await newDatabase();
    database = openPostgres({ url, applicationName: 'confab-test-plans', maxConnections: 1 });
    await migrate(database);
    await database.query(
      `INSERT INTO users (id, display_name) SELECT id, 'Ann' FROM (SELECT $1::uuid AS id UNION ALL
       SELECT gen_random_uuid() FROM generate_series(1, 4000)) AS made`,
      [sender],
    );
    await database.query(
      `INSERT INTO chats (id, is_group, last_event_sequence) SELECT id, true, 1 FROM (SELECT $1::uuid AS id UNION ALL
       SELECT gen_random_uuid() FROM generate_series(1, 4000)) AS made`,
      [crowded],
    );
    const join = (from: string, where: string) =>
      database.query(
        `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
         SELECT chats.id, users.id, CASE WHEN users.id = $2::uuid THEN 'owner' ELSE 'member' END, 1, 1
         FROM ${from} WHERE ${where} ON CONFLICT DO NOTHING`,
        [crowded, sender],
      );
    await join('chats, users', 'chats.id = $1::uuid AND users.id = $2::uuid');
    small = await pagesOfBatch();
    await join('chats, users', 'chats.id = $1::uuid OR users.id = $2::uuid');
  }, 60_000);
  afterAll(() => database.close());

  test('a batch costs the same', async () => {
    for (let stored = 0; stored < 20_000; stored += 64) await storeMessages(database, batch());
    // Indexes are a level deeper; to walk through the chat would look at hundreds of pages a message.
    expect(await pagesOfBatch()).toBeLessThan(small * 3);
  }, 60_000);

  test('whether somebody shares a chat with them is known of a thousand of their chats, or by the own ones', async () => {
    const [stranger, friend, chatId] = [newId(), newId(), newId()];
    await database.query(`INSERT INTO users (id, display_name) SELECT unnest($1::uuid[]), 'Bob'`, [
      [stranger, friend],
    ]);
    await database.query('INSERT INTO chats (id, is_group) VALUES ($1::uuid, true)', [chatId]);
    await database.query(
      `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
       VALUES ($1::uuid, $2::uuid, 'member', 1, 1),
         ((SELECT max(chat_id::text)::uuid FROM chat_participants WHERE user_id = $4::uuid AND chat_id <> $5::uuid), $3::uuid, 'member', 1, 1)`,
      [chatId, stranger, friend, sender, crowded],
    );
    for (const [viewerId, shared] of [
      [stranger, false],
      [friend, true],
    ] as const) {
      for (const look of [
        async () => (await readPresence(database, viewerId, [sender])).length,
        async () => (await createFindUsers(database).byIds({ userIds: [sender], viewerId })).length,
      ]) {
        let found: number | undefined;
        const read = await readBy(database, async () => {
          found = await look();
        });
        expect([found, read < 1_050]).toEqual([shared ? 1 : 0, true]);
      }
    }
  });

  test('who is to lead it is known without reading who is in it', async () => {
    const facts = createEmbeddedFacts();
    const deps = { database, facts, presence, announce: async () => {} };
    const owner = { chatId: crowded, actorId: sender, userId: sender, audit: () => {} };
    const stepDown = () => asRequest(() => createSetRole(deps)({ ...owner, role: 'member' }));
    const refused = async () =>
      expect(await stepDown().catch((error: ChatError) => error.code)).toBe('last_owner');
    expect(await readBy(database, refused)).toBeLessThan(50);
    const leave = () => asRequest(() => createRemoveParticipant(deps)(owner));
    expect(await readBy(database, leave)).toBeLessThan(100);
    const owners = await database.query(
      `SELECT FROM chat_participants WHERE chat_id = $1::uuid AND role = 'owner' AND left_at IS NULL`,
      [crowded],
    );
    expect(owners).toHaveLength(1);
  });
});

test('a page of changes costs the same wherever it begins, in a chat of many messages and as many later changes, and so does a batch of its purge', async () => {
  const url = await newDatabase();
  const database = openPostgres({ url, applicationName: 'confab-test-plans', maxConnections: 1 });
  const [chatId, userId, most, page] = [newId(), newId(), 10_000, 50];
  const holder = openPostgres({ url, applicationName: 'confab-test-holder', maxConnections: 1 });
  const readChanges = createReadChanges(kinds, { database, presence });
  try {
    await migrate(database);
    // The plan is made while there is nothing.
    for (let time = 0; time < 8; time += 1) await readChanges([{ chatId, after: 0 }], page, userId);
    await database.query(`INSERT INTO users (id, display_name) VALUES ($1::uuid, 'Ann')`, [userId]);
    await database.query(
      `INSERT INTO chats (id, is_group, last_sequence, last_event_sequence) VALUES ($1::uuid, true, $2::int, 2 * $2::int)`,
      [chatId, most],
    );
    await database.query(
      `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
       VALUES ($1::uuid, $2::uuid, 'owner', 0, 0)`,
      [chatId, userId],
    );
    await database.query(
      `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
       SELECT $1::uuid, s, gen_random_uuid(), $2::uuid, gen_random_uuid(), s::text, now(), s FROM generate_series(1, $3::int) s`,
      [chatId, userId, most],
    );
    await database.query(
      `INSERT INTO chat_changes SELECT $1::uuid, $2::int + s, 'message', s FROM generate_series(1, $2::int) s`,
      [chatId, most],
    );
    for (const after of [0, 1, 5_000, 9_970, 9_999, 10_000, 10_001, 15_000, 19_900]) {
      const before = await readSoFar(database);
      const [found] = await readChanges([{ chatId, after }], page, userId);
      // What is told, once for the range and once for the row of a change; some that are halved, and read through.
      expect((await readSoFar(database)) - before).toBeLessThan(5 * page + 64 + 20);
      expect(found).toMatchObject({ after, through: after + page, head: 2 * most });
      expect(found?.changes.map(({ eventSequence }) => eventSequence)).toEqual(
        Array.from({ length: page }, (_, at) => after + 1 + at),
      );
    }

    // While an old snapshot keeps all that is deleted.
    await database.query('INSERT INTO chats_to_purge VALUES ($1::uuid, now())', [chatId]);
    await holder.orm.transaction(
      async (tx) => {
        await tx.execute('SELECT FROM chats');
        for (let at = 0; at < most / 1_000; at += 1) {
          expect(await readBy(database, () => purgeDeletedChat(database))).toBeLessThan(6_000);
        }
      },
      { isolationLevel: 'repeatable read' },
    );
    expect(await database.query('SELECT FROM messages WHERE chat_id = $1::uuid', [chatId])).toEqual([]);
  } finally {
    await Promise.all([database.close(), holder.close()]);
  }
}, 30_000);
