import { beforeAll, describe, expect, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { type Database, iso } from '../../src/db/database.ts';
import { isDataError, isUniqueViolation } from '../../src/db/errors.ts';
import { assertMigrated, migrate } from '../../src/db/migrate.ts';
import { type MessageToStore, storeMessages } from '../../src/db/queries/store-messages.ts';
import { chatParticipants, chats, messages, users } from '../../src/db/schema.ts';
import { SchemaError } from '../../src/db/schema-error.ts';
import { newId } from '../../src/shared/ids.ts';

/** What every `Database` does alike; the caller gives an empty one and closes it. */
export function databaseConformance(name: string, open: () => Promise<Database>): void {
  describe(`database: ${name}`, () => {
    let database: Database;
    beforeAll(async () => {
      database = await open();
    }, 30_000);

    test('a schema that is behind is refused, and the refusal says what mends it', async () => {
      await expect(assertMigrated(database)).rejects.toThrow(/bun run migrate/);
    });

    test('migrating applies every entry once, also when two begin together', async () => {
      const applied = await Promise.all([migrate(database), migrate(database)]);
      const journal = await Bun.file(`${import.meta.dir}/../../drizzle/meta/_journal.json`).json();
      const tags = journal.entries.map(({ tag }: { tag: string }) => tag);
      expect(applied.flat().toSorted()).toEqual(tags.toSorted());
      expect(await migrate(database)).toEqual([]);
      await assertMigrated(database);
    });

    test('the first versions, which refuse each migration that they do not know, find those alone that concern them', async () => {
      // As they ask, to the letter.
      const rows = await database.orm
        .select({ name: sql<string>`name`, hash: sql<string>`hash` })
        .from(sql`applied_migrations`);
      expect(rows.map(({ name }) => name).toSorted()).toEqual([
        '0000_tables',
        '0001_store_messages',
        '0002_store_messages_by_key',
      ]);
    });

    test('a database migrated by a newer version is refused', async () => {
      await database.query(`INSERT INTO recorded_migrations (name, hash) VALUES ('9999_future', 'x')`, []);
      await expect(assertMigrated(database)).rejects.toThrow(SchemaError);
      await expect(migrate(database)).rejects.toThrow(/newer version/);
      await database.query(`DELETE FROM recorded_migrations WHERE name = '9999_future'`, []);
    });

    test('rows look alike: int8 is a number, json is parsed, times come as ISO 8601', async () => {
      const [row] = await database.query(
        `SELECT 9007199254740991::int8 AS big, '{"a":[1]}'::json AS json, true AS flag,
          ${iso(`'2026-02-14 13:00:00.1+01'::timestamptz`)} AS time, $1::text AS text, $2::uuid[] AS ids`,
        ['it\'s "quoted"', ['0199aa00-0000-7000-8000-000000000001']],
      );
      expect(row).toEqual({
        big: 9007199254740991,
        json: { a: [1] },
        flag: true,
        time: '2026-02-14T12:00:00.100Z',
        text: 'it\'s "quoted"',
        ids: ['0199aa00-0000-7000-8000-000000000001'],
      });
    });

    test('arrays go and come as they are: of quotes, commas, nothing, nulls, numbers, arrays', async () => {
      const texts = ['', 'NULL', 'a,b', '{c}', '"d"', 'e\\f', ' g ', "h'i", 'j\nk', 'é😀', null];
      const [row] = await database.query(
        `SELECT $1::text[] AS texts, $2::int[] AS ints, $3::bigint[] AS bigs, $4::text[] AS none,
          ARRAY[ARRAY['a', 'b c'], ARRAY['"', null]] AS nested, ARRAY[true, false] AS flags,
          ARRAY[1.5, -2]::float8[] AS floats, ARRAY['{"a": [1]}'::jsonb] AS documents,
          ($5::text[]::timestamptz[])[1] = '2026-02-14 12:00:00Z' AS same`,
        [texts, [1, -2, null], [9007199254740991], [], ['2026-02-14T12:00:00Z']],
      );
      expect(row).toEqual({
        ...{ texts, ints: [1, -2, null], bigs: [9007199254740991], none: [] },
        nested: [
          ['a', 'b c'],
          ['"', null],
        ],
        ...{ flags: [true, false], floats: [1.5, -2], documents: [{ a: [1] }], same: true },
      });
    });

    test('a text comes as UTF-8, of any length; without a row there is none', async () => {
      const text = (times: number) =>
        database.queryText(`SELECT repeat($1::text, $2::int) WHERE $2::int > 0`, ['aé€😀\\n"', times]);
      for (const times of [1, 10, 50_000]) {
        expect(Buffer.from((await text(times)) ?? '').equals(Buffer.from('aé€😀\\n"'.repeat(times)))).toBe(
          true,
        );
      }
      expect(await text(0)).toBeUndefined();
      // What came first is not overwritten by what comes next.
      const [first, second] = await Promise.all([text(2), text(3)]);
      expect([first?.length, second?.length]).toEqual([26, 39]);
      const bad = await database
        .queryText('SELECT $1::text::uuid::text', ['no uuid'])
        .catch((error) => error);
      expect(isDataError(bad)).toBe(true);
    });

    test('drizzle gives dates, and a transaction that throws leaves nothing', async () => {
      const id = newId();
      const failed = database.orm.transaction(async (tx) => {
        await tx.insert(users).values({ id, displayName: 'Rolled back' });
        throw new Error('stop');
      });
      await expect(failed).rejects.toThrow('stop');
      expect(await database.orm.select().from(users).where(eq(users.id, id))).toEqual([]);

      const [user] = await database.orm.insert(users).values({ id, displayName: 'Kept' }).returning();
      expect(user?.createdAt).toBeInstanceOf(Date);
    });

    test('errors carry their SQLSTATE, through drizzle too', async () => {
      const id = newId();
      await database.orm.insert(users).values({ id, displayName: 'First' });
      const again = await database.orm
        .insert(users)
        .values({ id, displayName: 'Second' })
        .catch((error) => error);
      expect(isUniqueViolation(again)).toBe(true);
      const bad = await database.query('SELECT $1::text::uuid', ['no uuid']).catch((error) => error);
      expect(isDataError(bad)).toBe(true);
    });

    describe('store_messages', () => {
      test('numbers a chat from 1 without a gap, over batches', async () => {
        const { chatId, senderId } = await newChat();
        const first = await store(messageOf(chatId, senderId, 'a'), messageOf(chatId, senderId, 'b'));
        const second = await store(messageOf(chatId, senderId, 'c'));
        expect([...first, ...second]).toMatchObject([
          { outcome: 'stored', sequence: 1, eventSequence: 2 },
          { outcome: 'stored', sequence: 2, eventSequence: 3 },
          { outcome: 'stored', sequence: 3, eventSequence: 4 },
        ]);
        const [chat] = await database.orm.select().from(chats).where(eq(chats.id, chatId));
        expect(chat).toMatchObject({ lastSequence: 3, lastEventSequence: 4 });
      });

      test('a repeat answers with the stored row, in its batch and in a later one', async () => {
        const { chatId, senderId } = await newChat();
        const message = messageOf(chatId, senderId, 'once');
        const later = { ...message, sentAt: '2030-01-01T00:00:00.000Z' };
        const answers = [...(await store(message, later)), ...(await store(later))];
        const row = { sequence: 1, eventSequence: 2, sentAt: message.sentAt };
        expect(answers).toEqual([
          { outcome: 'stored', ...row },
          { outcome: 'repeat', ...row },
          { outcome: 'repeat', ...row },
        ]);
        expect(await rowsOf(chatId)).toHaveLength(1);
      });

      test('the same key with other content is a conflict, and the first stands', async () => {
        const { chatId, senderId } = await newChat();
        const message = messageOf(chatId, senderId, 'first');
        const other = { ...message, content: 'second' };
        const outcomes = [...(await store(message, other)), ...(await store(other))];
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(['stored', 'conflict', 'conflict']);
        expect(await rowsOf(chatId)).toMatchObject([{ content: 'first' }]);
      });

      test('the last activity of a chat is of the clock of the database, whatever an api says or has said', async () => {
        const { chatId, senderId } = await newChat();
        await database.query(`UPDATE chats SET last_activity_at = now() + interval '1 day' WHERE id = $1`, [
          chatId,
        ]);
        await store({ ...messageOf(chatId, senderId, 'from tomorrow'), sentAt: '2999-01-01T00:00:00.000Z' });
        const [row] = await database.query<{ seconds: number }>(
          'SELECT abs(extract(epoch FROM now() - last_activity_at))::int AS seconds FROM chats WHERE id = $1',
          [chatId],
        );
        expect(row?.seconds).toBeLessThan(30);
        expect(await rowsOf(chatId)).toMatchObject([{ sentAt: new Date('2999-01-01T00:00:00.000Z') }]);
      });

      test('refused messages take no number', async () => {
        const { chatId, senderId } = await newChat();
        const outcomes = await store(
          messageOf(newId(), senderId, 'no such chat'),
          messageOf(chatId, newId(), 'a stranger'),
          messageOf(chatId, senderId, 'a participant'),
        );
        expect(outcomes).toMatchObject([
          { outcome: 'chat_not_found' },
          { outcome: 'not_participant' },
          { outcome: 'stored', sequence: 1 },
        ]);
      });

      test('who has left is a stranger, but what was stored before is still a repeat', async () => {
        const { chatId, senderId } = await newChat();
        const before = messageOf(chatId, senderId, 'before');
        await store(before);
        await database.orm
          .update(chatParticipants)
          .set({ leftAt: new Date() })
          .where(eq(chatParticipants.chatId, chatId));
        const outcomes = await store(before, messageOf(chatId, senderId, 'after'));
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(['repeat', 'not_participant']);
      });

      test('chats in one batch are numbered each on its own, in the order of the batch', async () => {
        const [one, two] = [await newChat(), await newChat()];
        const batch = Array.from({ length: 20 }, (_, at) => {
          const { chatId, senderId } = at % 3 === 0 ? one : two;
          return messageOf(chatId, senderId, String(at));
        });
        await store(...batch);
        for (const { chatId } of [one, two]) {
          const expected = batch.filter((message) => message.chatId === chatId);
          const rows = await rowsOf(chatId);
          expect(rows.map(({ content }) => content)).toEqual(expected.map(({ content }) => content));
          expect(rows.map(({ sequence }) => sequence)).toEqual(expected.map((_, at) => at + 1));
        }
      });

      test('one bad message fails the whole batch with a data error and stores nothing', async () => {
        const { chatId, senderId } = await newChat();
        const good = messageOf(chatId, senderId, 'good');
        const failed = await store(good, messageOf(chatId, senderId, '')).catch((error) => error);
        expect(isDataError(failed)).toBe(true);
        expect(await rowsOf(chatId)).toEqual([]);
      });

      test('text is kept to the letter', async () => {
        const { chatId, senderId } = await newChat();
        const contents = [
          'NULL',
          '{"a","b"}',
          '\\',
          '"',
          "'",
          'a\nb\r\n\tc',
          '👩‍👩‍👧‍👦 ünïcødé \u2028',
          '  ',
        ];
        await store(...contents.map((content) => messageOf(chatId, senderId, content)));
        expect((await rowsOf(chatId)).map(({ content }) => content)).toEqual(contents);
      });
    });

    describe('membership_version', () => {
      const versionOf = async (userId: string) =>
        (await database.orm.select().from(users).where(eq(users.id, userId)))[0]!.membershipVersion;

      test('is another one for whom it concerns, and nobody else, after every statement that changes who takes part', async () => {
        const [one, two] = [await newChat(), await newChat()];
        const guest = (await newChat()).senderId;
        const all = [one.senderId, two.senderId, guest];
        let known = await Promise.all(all.map(versionOf));
        const changed = async (work: PromiseLike<unknown>) => {
          await work;
          const now = await Promise.all(all.map(versionOf));
          const changes = now.map((version, at) => version !== known[at]);
          known = now;
          return changes;
        };
        const enter = (chatId: string, ...userIds: string[]) =>
          database.query(
            `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
             SELECT $1::uuid, unnest($2::uuid[]), 'member', 9, 9
             ON CONFLICT (chat_id, user_id) DO UPDATE SET left_at = NULL`,
            [chatId, userIds],
          );
        const update = (set: string, chatId: string, userId: string) =>
          database.query(`UPDATE chat_participants SET ${set} WHERE chat_id = $1 AND user_id = $2`, [
            chatId,
            userId,
          ]);
        expect(await changed(enter(one.chatId, guest))).toEqual([false, false, true]);
        expect(await changed(enter(one.chatId, guest))).toEqual([false, false, false]);
        expect(await changed(update(`role = 'owner'`, one.chatId, guest))).toEqual([false, false, false]);
        expect(await changed(update('left_at = now()', one.chatId, guest))).toEqual([false, false, true]);
        expect(await changed(update('left_at = now()', one.chatId, guest))).toEqual([false, false, false]);
        // One comes back, the other is new.
        expect(await changed(enter(one.chatId, guest, two.senderId))).toEqual([false, true, true]);
        expect(await changed(update(`user_id = '${one.senderId}'`, two.chatId, two.senderId))).toEqual([
          true,
          true,
          false,
        ]);
        const gone = database.query('DELETE FROM chats WHERE id = $1', [two.chatId]);
        expect(await changed(gone)).toEqual([true, false, false]);
        const none = database.query('DELETE FROM chat_participants WHERE chat_id = $1', [two.chatId]);
        expect(await changed(none)).toEqual([false, false, false]);
        const emptied = database.query('TRUNCATE chat_participants', []);
        expect(await changed(emptied)).toEqual([true, true, true]);
      });
    });

    async function newChat(): Promise<{ chatId: string; senderId: string }> {
      const [chatId, senderId] = [newId(), newId()];
      await database.orm.insert(users).values({ id: senderId, displayName: 'Sender' });
      await database.orm.insert(chats).values({ id: chatId, isGroup: true, lastEventSequence: 1 });
      await database.orm.insert(chatParticipants).values({
        chatId,
        userId: senderId,
        role: 'owner',
        createdEventSequence: 1,
        changedEventSequence: 1,
      });
      return { chatId, senderId };
    }

    const store = (...batch: MessageToStore[]) => storeMessages(database, batch);
    const rowsOf = (chatId: string) =>
      database.orm.select().from(messages).where(eq(messages.chatId, chatId)).orderBy(messages.sequence);
  });
}

function messageOf(chatId: string, senderId: string, content: string): MessageToStore {
  return {
    brokerMessageId: crypto.randomUUID(),
    chatId,
    senderId,
    clientMessageId: crypto.randomUUID(),
    content,
    sentAt: '2026-02-14T12:00:00.000Z',
  };
}
