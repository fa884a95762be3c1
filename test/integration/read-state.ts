import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createChangeMembership } from '../../src/chat/change-membership.ts';
import { databaseErrorCode } from '../../src/db/errors.ts';
import type { Chat, Membership, UnreadTotals } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { ReadsBody } from '../../src/shared/ports/notifications.ts';
import type { Answer, ChatApi, TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';

/** Who has read how far, over whichever adapters; the caller opens them and closes what it opened. */
export function readStateSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`who has read how far, over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy]: TestUser[] = [];
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy] = (await api.newUsers(3)) as [TestUser, TestUser, TestUser];
    }, 60_000);
    afterAll(() => api.close());

    const read = (user: TestUser, chatId: string, sequence: number, version?: number) =>
      api.call(user, 'PUT', `/chats/${chatId}/read`, { sequence, version });
    const unread = (user: TestUser, chatId: string, sequence: number) =>
      api.call(user, 'PUT', `/chats/${chatId}/unread`, { sequence });
    const set = (user: TestUser, chatId: string, settings: object) =>
      api.call(user, 'PATCH', `/chats/${chatId}/membership`, settings);
    const chatOf = async (user: TestUser, chatId: string): Promise<Chat> =>
      (await api.call(user, 'GET', `/chats/${chatId}`)).body;
    const membershipOf = async (user: TestUser, chatId: string) => (await chatOf(user, chatId)).membership;
    const totals = async (user: TestUser): Promise<UnreadTotals> =>
      (await api.call(user, 'GET', '/chats/unread')).body;
    const list = async (user: TestUser, query = ''): Promise<Chat[]> =>
      (await api.call(user, 'GET', `/chats?limit=100${query}`)).body.data;

    /** Messages as the worker stores them, without the way through the queue. @returns their number so far */
    async function say(
      chatId: string,
      sender: TestUser,
      count: number,
      type: string | null = null,
    ): Promise<number> {
      const [chat] = await api.database.query<{ last: number }>(
        `WITH chat AS (
          UPDATE chats SET last_sequence = last_sequence + $3::int, last_event_sequence = last_event_sequence + $3::int,
            last_activity_at = clock_timestamp()
          WHERE id = $1::uuid RETURNING last_sequence, last_event_sequence
        ), said AS (
          INSERT INTO messages
            (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence, message_type)
          SELECT $1::uuid, chat.last_sequence - n, gen_random_uuid(), $2::uuid, gen_random_uuid(), 'said', now(),
            chat.last_event_sequence - n, $4::text
          FROM chat, generate_series(0, $3::int - 1) AS n
        )
        SELECT last_sequence AS last FROM chat`,
        [chatId, sender.id, count, type],
      );
      return chat!.last;
    }

    /** As a deletion leaves a message. */
    async function erase(chatId: string, ...sequences: number[]): Promise<void> {
      for (const sequence of sequences) {
        await api.database.query(
          `WITH chat AS (
            UPDATE chats SET last_event_sequence = last_event_sequence + 1 WHERE id = $1::uuid RETURNING last_event_sequence
          ), forgotten AS (DELETE FROM mentions WHERE chat_id = $1::uuid AND sequence = $2::bigint)
          UPDATE messages SET content = '', deleted_at = now(), mentions = NULL, version = chat.last_event_sequence FROM chat
          WHERE chat_id = $1::uuid AND sequence = $2::bigint`,
          [chatId, sequence],
        );
      }
    }

    test('what others say after the marker is unread, and read to where one says', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 5);
      expect(await membershipOf(bob!, id)).toMatchObject({
        lastReadSequence: 0,
        unreadCount: 5,
        lastSequence: 5,
      });
      expect(await membershipOf(ann!, id)).toMatchObject({ lastReadSequence: 0, unreadCount: 0 });

      const { status, body } = await read(bob!, id, 3);
      const chat = await chatOf(bob!, id);
      expect([status, body]).toEqual([200, chat.membership]);
      expect(body).toEqual({
        ...{ chatId: id, lastReadSequence: 3, unreadCount: 2, unreadMentionCount: 0, notify: 'all' },
        ...{ mutedUntil: null, pinnedAt: null, archivedAt: null, version: expect.any(Number) },
        ...{ lastSequence: 5, eventSequence: chat.eventSequence },
      });
      expect((await list(bob!)).find((one) => one.id === id)?.membership).toEqual(body);
    });

    test('it never goes backwards, and beyond the last message it is the last message', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 5);
      const beyond = (await read(bob!, id, 9)).body as Membership;
      expect(beyond).toMatchObject({ lastReadSequence: 5, unreadCount: 0 });
      expect((await read(bob!, id, 2)).body).toEqual(beyond);
      expect((await read(bob!, id, 0)).body).toEqual(beyond);
      await say(id, ann!, 1);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(1);
    });

    test('what was marked as unread elsewhere is not read by a device that does not know it', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 5);
      const { version } = (await read(bob!, id, 5)).body as Membership;
      const marked = (await unread(bob!, id, 4)).body as Membership;
      expect(marked).toMatchObject({ lastReadSequence: 3, unreadCount: 2, version: version + 1 });
      expect((await read(bob!, id, 5, version)).body).toEqual(marked);
      expect((await read(bob!, id, 5, marked.version)).body).toMatchObject({
        ...{ lastReadSequence: 5, unreadCount: 0, version: version + 2 },
      });
      // Others see the highest.
      await unread(bob!, id, 1);
      const people = (await api.call(ann!, 'GET', `/chats/${id}/participants`)).body.data;
      expect(people.map((one: { lastReadSequence?: number }) => one.lastReadSequence)).toEqual([
        undefined,
        5,
      ]);
    });

    test('own messages, deleted ones and those of the system are never unread', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 3);
      await say(id, bob!, 2);
      await say(id, ann!, 2, 'system');
      await say(id, ann!, 1);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(4);
      await erase(id, 2, 8);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(2);
      await erase(id, 1, 3);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(0);
      expect((await totals(bob!)).chatIds).not.toContain(id);
    });

    test('100 stands for more than 99', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 99);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(99);
      await say(id, ann!, 50);
      expect((await membershipOf(bob!, id)).unreadCount).toBe(100);
      expect((await read(bob!, id, 50)).body.unreadCount).toBe(99);
    });

    test('mentions of oneself and of everyone are counted, but for own and deleted ones, each message once', async () => {
      const { id } = await api.newGroup(ann!, bob!, cy!);
      const tell = (sender: TestUser, mentions: object) =>
        api.call(sender, 'POST', `/chats/${id}/messages`, { content: 'Hey', mentions });
      await tell(ann!, { userIds: [bob!.id] });
      await tell(ann!, { userIds: [bob!.id, cy!.id], everyone: true });
      await tell(ann!, { userIds: [cy!.id] });
      await tell(bob!, { userIds: [bob!.id], everyone: true });
      await api.stored(id, 4);
      const counts = async (user: TestUser) => {
        const { unreadCount, unreadMentionCount } = await membershipOf(user, id);
        return [unreadCount, unreadMentionCount];
      };
      expect(await counts(bob!)).toEqual([3, 2]);
      expect(await counts(cy!)).toEqual([4, 3]);
      expect(await counts(ann!)).toEqual([1, 1]);
      await erase(id, 1);
      expect(await counts(bob!)).toEqual([2, 1]);
      await read(bob!, id, 2);
      expect(await counts(bob!)).toEqual([1, 0]);
    });

    test('an edit adds a mention and takes it away, a deletion takes it with it: what is unread says so at once', async () => {
      const { id } = await api.newGroup(ann!, bob!, cy!);
      const { body: accepted } = await api.call(ann!, 'POST', `/chats/${id}/messages`, { content: 'Hey' });
      await api.stored(id, 1);
      const message = `/chats/${id}/messages/${accepted.brokerMessageId}`;
      const counts = async () => {
        const [bobs, cys] = [await membershipOf(bob!, id), (await set(cy!, id, {})).body as Membership];
        expect((await list(bob!)).find((one) => one.id === id)?.membership).toEqual(bobs);
        return [bobs.unreadMentionCount, cys.unreadMentionCount];
      };
      const mention = async (userIds: string[], everyone?: true) => {
        const mentions = { userIds, ...(everyone && { everyone }) };
        expect((await api.call(ann!, 'PATCH', message, { mentions })).status).toBe(200);
        return counts();
      };
      expect(await counts()).toEqual([0, 0]);
      expect(await mention([bob!.id])).toEqual([1, 0]);
      expect((await totals(bob!)).unreadMentions).toBe(1);
      expect(await mention([cy!.id])).toEqual([0, 1]);
      expect((await totals(bob!)).unreadMentions).toBe(0);
      expect(await mention([bob!.id], true)).toEqual([1, 1]);
      expect(await mention([])).toEqual([0, 0]);
      // Also of what was read before.
      await read(bob!, id, 1);
      expect(await mention([], true)).toEqual([0, 1]);
      expect((await unread(bob!, id, 1)).body).toMatchObject({ unreadCount: 1, unreadMentionCount: 1 });
      expect((await api.call(ann!, 'DELETE', message)).status).toBe(204);
      expect(await counts()).toEqual([0, 0]);
    });

    test('who joins has nothing unread, and who comes back has none of what they had set', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 3);
      await api.call(ann!, 'POST', `/chats/${id}/participants`, { userIds: [cy!.id] });
      const joined = await membershipOf(cy!, id);
      expect(joined).toMatchObject({ lastReadSequence: 3, unreadCount: 0 });
      await say(id, ann!, 2);
      expect((await membershipOf(cy!, id)).unreadCount).toBe(2);
      await set(cy!, id, {
        archived: true,
        pinned: true,
        notify: 'none',
        mutedUntil: '2999-01-01T00:00:00Z',
      });
      await api.call(ann!, 'DELETE', `/chats/${id}/participants/${cy!.id}`);
      await say(id, ann!, 2);
      await api.call(ann!, 'POST', `/chats/${id}/participants`, { userIds: [cy!.id] });
      const back = await membershipOf(cy!, id);
      expect(back).toMatchObject({
        ...{
          lastReadSequence: 7,
          unreadCount: 0,
          notify: 'all',
          mutedUntil: null,
          pinnedAt: null,
          archivedAt: null,
        },
      });
      expect(back.version).toBeGreaterThan(joined.version + 1);
    });

    test('of rows without a marker nothing is unread until they are first shown, and all that comes after that is', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 3);
      await api.database.query(
        'UPDATE chat_participants SET last_read_sequence = NULL WHERE chat_id = $1::uuid AND user_id = $2::uuid',
        [id, bob!.id],
      );
      expect((await totals(bob!)).chatIds).not.toContain(id);
      const first = await membershipOf(bob!, id);
      expect(first).toMatchObject({ lastReadSequence: 3, unreadCount: 0 });
      await say(id, ann!, 1);
      expect(await membershipOf(bob!, id)).toEqual({
        ...first,
        ...{ unreadCount: 1, lastSequence: 4, eventSequence: first.eventSequence + 1 },
      });
    });

    test('a long run of own messages is skipped for good, however long, and what comes after it is unread', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, bob!, 2_500);
      await say(id, ann!, 1);
      const shown = await membershipOf(bob!, id);
      expect(shown).toMatchObject({ lastReadSequence: 2_500, unreadCount: 1 });
      expect(await membershipOf(bob!, id)).toEqual(shown);
      await say(id, bob!, 1_500);
      await say(id, ann!, 1);
      await erase(id, 2_501);
      const { unreadChats, chatIds } = await totals(bob!);
      expect([unreadChats, chatIds.includes(id)]).toEqual([chatIds.length, true]);
      expect((await membershipOf(bob!, id)).lastReadSequence).toBe(4_001);
      // One has not read what one has skipped.
      const people = (await api.call(ann!, 'GET', `/chats/${id}/participants`)).body.data;
      expect(people.map((one: object) => Object.keys(one).includes('lastReadSequence'))).toEqual([
        false,
        false,
      ]);
    });

    test('a marker that was moved over own messages refuses nothing to a device that has not heard of it', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 1);
      const { version } = (await read(bob!, id, 1)).body as Membership;
      await say(id, bob!, 20);
      expect(await membershipOf(bob!, id)).toMatchObject({ lastReadSequence: 21, version });
      await say(id, ann!, 1);
      expect((await read(bob!, id, 22, version)).body).toMatchObject({
        ...{ lastReadSequence: 22, unreadCount: 0, version: version + 1 },
      });
    });

    test('who marks as unread while a read of theirs is being gathered has it unread', async () => {
      const { id: chatId } = await api.newGroup(ann!, bob!);
      await say(chatId, ann!, 5);
      const deps = { database: api.database, announce: async () => {}, liveMax: 100 };
      const own = createChangeMembership(deps);
      const ofChat = { chatId, userId: bob!.id };
      const [first, , then] = await Promise.all([
        own.markRead({ ...ofChat, sequence: 4 }),
        own.markRead({ ...ofChat, sequence: 5, version: 1_000 }),
        own.markUnread({ ...ofChat, sequence: 3 }),
      ]);
      expect(then).toMatchObject({ lastReadSequence: 2, unreadCount: 3 });
      expect(then.version).toBeGreaterThan(first.version);
      expect(await membershipOf(bob!, chatId)).toEqual(then);
      // Of another chat, and once it is answered, nothing is waited for.
      expect(await own.markUnread({ ...ofChat, sequence: 4 })).toMatchObject({ lastReadSequence: 3 });
    });

    test('settings change what they name, and what changes nothing has no new version', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      const { version } = await membershipOf(bob!, id);
      const muted = (await set(bob!, id, { notify: 'mentions', mutedUntil: '2999-02-14T12:00:00Z' }))
        .body as Membership;
      expect(muted).toMatchObject({
        ...{ notify: 'mentions', mutedUntil: '2999-02-14T12:00:00.000Z', pinnedAt: null, archivedAt: null },
        version: version + 1,
      });
      const pinned = (await set(bob!, id, { pinned: true, archived: true })).body as Membership;
      expect(pinned).toMatchObject({
        notify: 'mentions',
        mutedUntil: muted.mutedUntil,
        version: version + 2,
      });
      expect(pinned.pinnedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect((await set(bob!, id, { pinned: true, archived: true })).body).toEqual(pinned);
      expect((await set(bob!, id, {})).body).toEqual(pinned);
      expect((await set(bob!, id, { pinned: false, archived: false, mutedUntil: null })).body).toMatchObject({
        ...{ notify: 'mentions', mutedUntil: null, pinnedAt: null, archivedAt: null, version: version + 3 },
      });
      // One's own alone.
      expect(await membershipOf(ann!, id)).toMatchObject({ notify: 'all', mutedUntil: null });
    });

    test('the list by what is set, and totals in which archived and muted chats count by their mentions alone', async () => {
      const [eve, fay] = (await api.newUsers(2)) as [TestUser, TestUser];
      const ids: Record<string, string> = {};
      for (const each of [
        'quiet',
        'plain',
        'pinned',
        'muted',
        'mutedOnce',
        'archived',
        'mentioned',
      ] as const) {
        ids[each] = (await api.newGroup(eve, fay)).id;
        if (each !== 'quiet') await say(ids[each]!, fay, 1);
      }
      await set(eve, ids.pinned!, { pinned: true });
      await set(eve, ids.muted!, { mutedUntil: '2999-01-01T00:00:00Z' });
      await set(eve, ids.mutedOnce!, { mutedUntil: '2001-01-01T00:00:00Z' });
      await set(eve, ids.archived!, { archived: true, pinned: true });
      await set(eve, ids.mentioned!, { archived: true, mutedUntil: '2999-01-01T00:00:00Z' });
      const named = async (query?: string) =>
        (await list(eve, query)).map(({ id }) => Object.keys(ids).find((each) => ids[each] === id)!);
      expect(await named()).toEqual(['mutedOnce', 'muted', 'pinned', 'plain', 'quiet']);
      expect(await named('&filter=unread')).toEqual(['mutedOnce', 'muted', 'pinned', 'plain']);
      expect(await named('&filter=pinned')).toEqual(['pinned']);
      expect(await named('&filter=archived')).toEqual(['mentioned', 'archived']);
      expect(await totals(eve)).toEqual({
        unreadChats: 3,
        unreadMentions: 0,
        chatIds: [ids.mutedOnce!, ids.pinned!, ids.plain!],
      });

      const mentions = { userIds: [eve.id] };
      await api.call(fay, 'POST', `/chats/${ids.mentioned}/messages`, { content: 'Eve?', mentions });
      await api.stored(ids.mentioned!, 2);
      expect(await totals(eve)).toEqual({
        unreadChats: 4,
        unreadMentions: 1,
        chatIds: [ids.mentioned!, ids.mutedOnce!, ids.pinned!, ids.plain!],
      });
      await read(eve, ids.plain!, 1);
      expect(await named('&filter=unread')).toEqual(['mutedOnce', 'muted', 'pinned']);
    });

    test('pages of the unread ones have each of them once', async () => {
      const [eve, fay] = (await api.newUsers(2)) as [TestUser, TestUser];
      const ids: string[] = [];
      for (let at = 0; at < 7; at += 1) {
        const { id } = await api.newGroup(eve, fay);
        if (at % 3 !== 0) ids.unshift(id);
        await say(id, at % 3 === 0 ? eve : fay, 1);
      }
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body } = await api.call(eve, 'GET', `/chats?filter=unread&limit=2${query}`);
        seen.push(...body.data.map(({ id }: Chat) => id));
        cursor = body.nextCursor;
      }
      expect(seen).toEqual(ids);
    });

    test('behind a thousand own messages a chat is found to be unread', async () => {
      const [eve, fay] = (await api.newUsers(2)) as [TestUser, TestUser];
      const [behind, own] = [await api.newGroup(eve, fay), await api.newGroup(eve, fay)];
      for (const { id } of [behind, own]) await say(id, eve, 1_001);
      await say(behind.id, fay, 1);
      const { body } = await api.call(eve, 'GET', '/chats?filter=unread');
      expect(body.data.map(({ id, membership }: Chat) => [id, membership.unreadCount])).toEqual([
        [behind.id, 1],
      ]);
    });

    test('own sockets are told of each change, and the chat of who has read further than ever', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      await say(id, ann!, 3);
      api.announced.length = 0;
      const { body: membership } = await read(bob!, id, 2);
      const [told, ...more] = api.announced.splice(0);
      expect({ ...told, body: JSON.parse(told!.body) }).toEqual({
        topic: `chat:${id}`,
        head: { version: 1, kind: 'passing', event: 'chat.read' },
        body: {
          chatId: id,
          reads: [{ userId: bob!.id, lastReadSequence: 2, readAt: expect.stringMatching(/Z$/) }],
          memberships: [membership],
        },
      });
      expect(more).toEqual([]);

      const kinds = (): unknown[] =>
        api.announced.splice(0).map(({ topic, head }) => [topic, 'event' in head && head.event]);
      const ownKind = [`user:${bob!.id}`, 'chat.membership'];
      await unread(bob!, id, 1);
      expect(kinds()).toEqual([ownKind]);
      await read(bob!, id, 2);
      expect(kinds()).toEqual([ownKind]);
      await set(bob!, id, { pinned: true });
      expect(kinds()).toEqual([ownKind]);
      await read(bob!, id, 2);
      await set(bob!, id, {});
      expect(kinds()).toEqual([]);
      await read(bob!, id, 3);
      expect(kinds()).toEqual([[`chat:${id}`, 'chat.read']]);

      // Of what several read within one gathering there is one.
      await say(id, ann!, 1);
      await Promise.all([read(ann!, id, 4), read(bob!, id, 4)]);
      const [together, ...others] = api.announced.splice(0);
      expect(JSON.parse(together!.body).memberships.map(({ chatId }: Membership) => chatId)).toEqual([
        id,
        id,
      ]);
      expect(others).toEqual([]);
    });

    test('who tells nobody what they have read is not told what others have', async () => {
      const [eve, fay] = (await api.newUsers(2)) as [TestUser, TestUser];
      const { id } = await api.newGroup(eve, fay);
      await say(id, eve, 2);
      await say(id, fay, 1);
      await read(fay, id, 2);
      await read(eve, id, 3);
      const shown = async (user: TestUser) =>
        (await api.call(user, 'GET', `/chats/${id}/participants`)).body.data.map(
          (one: { lastReadSequence?: number }) => one.lastReadSequence,
        );
      expect(await shown(eve)).toEqual([3, 2]);

      const { status, body: user } = await api.call(fay, 'PATCH', '/users/me', { readReceipts: false });
      expect([status, user]).toEqual([200, { ...user, id: fay.id, readReceipts: false }]);
      expect((await api.call(fay, 'GET', '/auth/me')).body).toEqual(user);
      expect((await api.call(eve, 'GET', `/users/${fay.id}`)).body.readReceipts).toBeUndefined();
      expect(await shown(fay)).toEqual([undefined, undefined]);
      expect(await shown(eve)).toEqual([3, undefined]);
      expect(api.announced.at(-1)).toEqual({
        topic: `user:${fay.id}`,
        head: { version: 1, kind: 'passing', event: 'user.updated' },
        body: JSON.stringify({ user }),
      });
      api.announced.length = 0;
      await read(fay, id, 3);
      expect(api.announced.map(({ topic }) => topic)).toEqual([`user:${fay.id}`]);

      expect((await api.call(fay, 'PATCH', '/users/me', {})).body).toEqual(user);
      const again = await api.call(fay, 'PATCH', '/users/me', { readReceipts: true });
      expect(again.body.readReceipts).toBeUndefined();
      expect(await shown(eve)).toEqual([3, 3]);
    });

    test('many who read in many chats at once are one statement for 20 of them, each with their own answer', async () => {
      const readers = await api.newUsers(20);
      const chats = await Promise.all([1, 2, 3].map(() => api.newGroup(ann!, ...readers)));
      for (const { id } of chats) await say(id, ann!, 9);
      api.asked.length = 0;
      const wanted = chats.flatMap(({ id }) =>
        readers.map((reader, at) => ({ reader, id, sequence: 1 + (at % 9) })),
      );
      // Each on two devices.
      const answers = await Promise.all(
        [...wanted, ...wanted].map(({ reader, id, sequence }) => read(reader, id, sequence)),
      );
      expect(answers.map(({ body }) => [body.chatId, body.lastReadSequence, body.unreadCount])).toEqual(
        [...wanted, ...wanted].map(({ id, sequence }) => [id, sequence, 9 - sequence]),
      );
      const statements = api.asked.filter((text) => text.includes('write_memberships'));
      expect(statements.length).toBeLessThanOrEqual(answers.length / 20);
    });

    test('devices of one user in many processes at once lose nothing, and each change has a number of its own', async () => {
      const chats = await Promise.all([1, 2, 3, 4].map(() => api.newGroup(ann!, bob!)));
      for (const { id } of chats) await say(id, ann!, 8);
      api.announced.length = 0;
      const answers: Answer[] = await Promise.all(
        Array.from({ length: 40 }, (_, at) => {
          const { id } = chats[at % 4]!;
          return [() => read(bob!, id, 1 + (at >> 3)), () => set(bob!, id, { pinned: at % 3 === 0 })][
            (at >> 2) % 2
          ]!();
        }),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      // By itself, or with what the others in the chat are told.
      const versions = () =>
        api.announced.flatMap(({ head, body }): number[] => {
          const event = 'event' in head ? head.event : undefined;
          if (event === 'chat.membership') return [JSON.parse(body).membership.version];
          if (event !== 'chat.read') return [];
          return (JSON.parse(body) as ReadsBody).memberships?.map(({ version }) => version) ?? [];
        });
      const last = Math.max(
        ...(await Promise.all(chats.map(({ id }) => membershipOf(bob!, id)))).map(({ version }) => version),
      );
      await eventually('all are announced', () => versions().length > last - Math.min(...versions()));
      const numbers = versions().sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, at) => numbers[0]! + at));
      for (const { id } of chats) {
        expect((await membershipOf(bob!, id)).lastReadSequence).toBe(5);
      }
    });

    test('a chat of more than CHAT_LIVE_MAX is not told who has read', async () => {
      const [reader, ...others] = (await api.newUsers(101)) as [TestUser, ...TestUser[]];
      const { id } = await api.newGroup(reader, ...others.slice(0, 99));
      await say(id, others[0]!, 2);
      const told = async (sequence: number) => {
        api.announced.length = 0;
        await read(reader, id, sequence);
        return api.announced.map(({ topic }) => topic);
      };
      expect(await told(1)).toEqual([`chat:${id}`]);
      await api.call(reader, 'POST', `/chats/${id}/participants`, { userIds: [others[99]!.id] });
      expect(await told(2)).toEqual([`user:${reader.id}`]);
    });

    test('whatever was said, deleted, read and marked: the count is what scrolling through the history finds', async () => {
      const random = (below: number) => Math.floor(Math.random() * below);
      const { id } = await api.newGroup(ann!, bob!);
      let last = 0;
      for (let step = 0; step < 60; step += 1) {
        const what = random(6);
        const at = 1 + random(Math.max(1, last));
        if (what < 3)
          last = await say(
            id,
            random(3) === 0 ? bob! : ann!,
            1 + random(9),
            random(5) === 0 ? 'system' : null,
          );
        else if (what === 3 && last > 0) await erase(id, at, 1 + random(last), 1 + random(last));
        else if (what === 4) await read(bob!, id, at);
        else await unread(bob!, id, at);
        const { lastReadSequence, unreadCount, lastSequence } = await membershipOf(bob!, id);
        const [found] = await api.database.query<{ unread: number }>(
          `SELECT count(*)::int AS unread FROM messages WHERE chat_id = $1::uuid AND sequence > $2::bigint
             AND sender_id <> $3::uuid AND deleted_at IS NULL AND message_type IS DISTINCT FROM 'system'`,
          [id, lastReadSequence, bob!.id],
        );
        expect([unreadCount, lastSequence]).toEqual([Math.min(100, found!.unread), last]);
      }
    });

    test('422: what is no number, no setting, no filter, or not known', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      const refused = async (answer: Promise<Answer>) => {
        const { status, body } = await answer;
        return `${status} ${body.code} ${body.errors?.map(({ path }: { path: string }) => path)}`;
      };
      const put = (what: string, body: unknown) =>
        refused(api.call(bob!, 'PUT', `/chats/${id}/${what}`, body));
      const numbers = ['1', 1.5, -1, 2 ** 53, null, true, [1], {}, Number.MAX_VALUE];
      for (const sequence of numbers) {
        expect(await put('read', { sequence })).toBe('422 validation_failed sequence');
        expect(await put('unread', { sequence })).toBe('422 validation_failed sequence');
        if (sequence !== null)
          expect(await put('read', { sequence: 1, version: sequence })).toBe('422 validation_failed version');
      }
      expect(await put('unread', { sequence: 0 })).toBe('422 validation_failed sequence');
      expect(await put('read', {})).toBe('422 validation_failed sequence');
      expect(await put('read', { sequence: 1, seen: true })).toBe('422 validation_failed seen');
      expect(await put('unread', { sequence: 1, version: 1 })).toBe('422 validation_failed version');
      expect(await put('read', '{"sequence":1,"__proto__":{"version":1}}')).toBe(
        '422 validation_failed __proto__',
      );
      expect(await put('read', '[]')).toBe('422 validation_failed ');
      expect(await put('read', '{"sequence":')).toBe('400 malformed_json undefined');

      const { body } = await set(bob!, id, { notify: 'loud' });
      expect(body.errors).toEqual([{ path: 'notify', message: 'must be "all" or "mentions" or "none"' }]);
      const patch = (body: object) => refused(set(bob!, id, body));
      for (const mutedUntil of [
        ...[
          '',
          'tomorrow',
          '2026-02-30T00:00:00Z',
          '2026-02-14',
          '2026-02-14T12:00:00',
          '2026-02-14T12:00:00+01:00',
        ],
        ...[
          '0000-01-01T00:00:00Z',
          '2026-02-14T24:00:00Z',
          '2026-02-14T12:00:00.0000Z',
          '+012026-02-14T12:00:00Z',
        ],
        ...['infinity', 0, Date.now(), true, {}],
      ]) {
        expect([mutedUntil, await patch({ mutedUntil })]).toEqual([
          mutedUntil,
          '422 validation_failed mutedUntil',
        ]);
      }
      for (const notify of ['', 'ALL', 'some', null, 0, ['all']]) {
        expect(await patch({ notify })).toBe('422 validation_failed notify');
      }
      for (const flag of [null, 0, 1, 'true', '', {}]) {
        expect(await patch({ pinned: flag })).toBe('422 validation_failed pinned');
        expect(await patch({ archived: flag })).toBe('422 validation_failed archived');
      }
      expect(await patch({ pinnedAt: null })).toBe('422 validation_failed pinnedAt');

      const get = (query: string) => refused(api.call(bob!, 'GET', `/chats${query}`));
      expect(await get('?filter=')).toBe('422 validation_failed filter');
      expect(await get('?filter=muted')).toBe('422 validation_failed filter');
      expect(await get('?filter=unread&filter=pinned')).toBe('422 validation_failed filter');
      expect(await get('/unread?limit=1')).toBe('422 validation_failed limit');
      expect(await refused(api.call(bob!, 'PUT', '/chats/unread/read', { sequence: 1 }))).toBe(
        '422 validation_failed chatId',
      );
      for (const readReceipts of [null, 0, 'false', {}]) {
        expect(await refused(api.call(bob!, 'PATCH', '/users/me', { readReceipts }))).toBe(
          '422 validation_failed readReceipts',
        );
      }
      expect(await refused(api.call(bob!, 'PATCH', '/users/me', { id: newId() }))).toBe(
        '422 validation_failed id',
      );
      // Nothing of it was written.
      expect(await membershipOf(bob!, id)).toMatchObject({
        version: expect.any(Number),
        notify: 'all',
        pinnedAt: null,
      });
    });

    test('how many take part is kept, whoever writes it', async () => {
      const { id } = await api.newGroup(ann!, bob!);
      const count = async () => {
        const [row] = await api.database.query<{ kept: number }>(
          'SELECT participant_count AS kept FROM chats WHERE id = $1::uuid',
          [id],
        );
        return [row!.kept, (await chatOf(ann!, id)).participantCount];
      };
      expect(await count()).toEqual([2, 2]);
      await api.call(ann!, 'POST', `/chats/${id}/participants`, { userIds: [bob!.id, cy!.id] });
      expect(await count()).toEqual([3, 3]);
      await api.call(ann!, 'DELETE', `/chats/${id}/participants/${bob!.id}`);
      expect(await count()).toEqual([2, 2]);
      await api.call(ann!, 'POST', `/chats/${id}/participants`, { userIds: [bob!.id] });
      expect(await count()).toEqual([3, 3]);
      await api.database.query(
        'DELETE FROM chat_participants WHERE chat_id = $1::uuid AND user_id = $2::uuid',
        [id, bob!.id],
      );
      expect(await count()).toEqual([2, 2]);
      const forgetting = api.database.query('UPDATE chats SET participant_count = NULL WHERE id = $1::uuid', [
        id,
      ]);
      expect(await forgetting.catch(databaseErrorCode)).toBe('23502');
    });
  });
}
