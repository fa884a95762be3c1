import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, Message, Participant, ParticipantEvent } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { ChatApi, TestUser } from '../support/chat-api.ts';

const nobody = '0198c0de-0000-7000-8000-000000000000';
const ids = (participants: readonly Pick<Participant, 'userId'>[]) =>
  participants.map(({ userId }) => userId);

/** The routes below `/chats`, over whichever adapters; the caller opens them and closes what it opened. */
export function chatsSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`chats over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy, dee, eve]: TestUser[] = [];
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy, dee, eve] = (await api.newUsers(5)) as [
        TestUser,
        TestUser,
        TestUser,
        TestUser,
        TestUser,
      ];
    }, 60_000);
    afterAll(() => api.close());

    const createChat = (user: TestUser, body: object) => api.call(user, 'POST', '/chats', body);
    const getChat = async (user: TestUser, chatId: string): Promise<Chat> =>
      (await api.call(user, 'GET', `/chats/${chatId}`)).body;
    const add = (user: TestUser, chatId: string, ...added: (TestUser | undefined)[]) =>
      api.call(user, 'POST', `/chats/${chatId}/participants`, { userIds: added.map((other) => other!.id) });
    const remove = (user: TestUser, chatId: string, removed: TestUser) =>
      api.call(user, 'DELETE', `/chats/${chatId}/participants/${removed.id}`);

    describe('creating', () => {
      test('201: a group with its creator as owner, and everybody named once', async () => {
        const { status, body } = await createChat(ann!, {
          participantUserIds: [bob!.id, cy!.id, bob!.id.toUpperCase(), ann!.id],
          name: 'Lunch',
        });
        expect(status).toBe(201);
        expect(body).toEqual({
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          isGroup: true,
          name: 'Lunch',
          ...{ avatarUrl: null, metadata: null, posting: 'all' },
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
          lastActivityAt: body.createdAt,
          participantCount: 3,
          participants: [
            participantOf(ann!, 'owner'),
            participantOf(bob!, 'member'),
            participantOf(cy!, 'member'),
          ],
          lastMessage: null,
          lastSequence: 0,
          eventSequence: 3,
          membership: {
            ...{ chatId: body.id, lastReadSequence: 0, unreadCount: 0, unreadMentionCount: 0, version: 1 },
            ...{ notify: 'all', mutedUntil: null, pinnedAt: null, archivedAt: null },
            ...{ lastSequence: 0, eventSequence: 3 },
          },
        });
        expect(await getChat(bob!, body.id)).toEqual(body);
      });

      test('an outside provider’s id in the place of a name is shown to nobody', async () => {
        const fay = await api.newUser();
        const externalId = `ext|${fay.id}`;
        // As rows were made before names were made up.
        await api.database.query(
          `UPDATE users SET issuer = 'https://id.example', external_id = $2, display_name = $2 WHERE id = $1::uuid`,
          [fay.id, externalId],
        );
        const chat = await api.newGroup(ann!, fay);
        const answers = [
          chat,
          await getChat(ann!, chat.id),
          (await api.call(ann!, 'GET', '/chats?limit=1')).body,
          (await api.call(ann!, 'GET', `/chats/${chat.id}/participants`)).body,
          (await api.call(ann!, 'GET', `/chats/${chat.id}/changes?after=0`)).body,
        ];
        for (const answer of answers) {
          expect(JSON.stringify(answer)).not.toContain(externalId);
          expect(JSON.stringify(answer)).toContain(`User ${fay.id.slice(-6)}`);
        }
      });

      test('422: a name that cannot be seen, or that turns the text around it', async () => {
        for (const name of [
          ' \t',
          '\u200b',
          '\u2800',
          '\u3164',
          'a\nb',
          '\u001b[31mred',
          'a\u202eb',
          '\ufe0f',
        ]) {
          const { status, body } = await createChat(ann!, { participantUserIds: [bob!.id], name });
          expect([status, body.errors.map(({ path }: { path: string }) => path)]).toEqual([422, ['name']]);
        }
        for (const name of ['👩‍🚀 Lunch ❤️', 'می‌خواهم', ' kept as it is ']) {
          const { status, body } = await createChat(ann!, { participantUserIds: [bob!.id], name });
          expect([status, body.name]).toEqual([201, name]);
        }
      });

      test('isGroup follows from a name or from more than one other', async () => {
        const [one, two, three, four] = await api.newUsers(4);
        const kinds = await Promise.all([
          createChat(one!, { participantUserIds: [two!.id] }),
          createChat(one!, { participantUserIds: [two!.id], name: 'Two' }),
          createChat(one!, { participantUserIds: [two!.id], isGroup: true }),
          createChat(one!, { participantUserIds: [two!.id, three!.id] }),
          createChat(one!, { participantUserIds: [four!.id], isGroup: false, name: null }),
          createChat(one!, { participantUserIds: [], name: 'Notes' }),
        ]);
        expect(kinds.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 201]);
        expect(kinds.map(({ body }) => body.isGroup)).toEqual([false, true, true, true, false, true]);
      });

      test('200: a second direct chat of a pair is the first one, whoever asks', async () => {
        const [one, two] = await api.newUsers(2);
        const first = await createChat(one!, { participantUserIds: [two!.id] });
        api.announced.length = 0;
        const again = await createChat(two!, { participantUserIds: [one!.id] });
        expect([first.status, again.status]).toEqual([201, 200]);
        expect(again.body).toEqual(first.body);
        expect(api.announced).toEqual([]);
      });

      test('a direct chat asked for by both at once, ten times each, is made once', async () => {
        const [one, two] = await api.newUsers(2);
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, at) => {
            const [me, other] = at % 2 === 0 ? [one!, two!] : [two!, one!];
            return createChat(me, { participantUserIds: [other.id] });
          }),
        );
        expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(19).fill(200), 201]);
        expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
        expect((await api.call(one!, 'GET', '/chats')).body.data).toHaveLength(1);
      });

      test('everybody in it is told, with the number of the chat', async () => {
        api.announced.length = 0;
        const { body } = await createChat(ann!, { participantUserIds: [bob!.id, cy!.id] });
        expect(api.announced.splice(0)).toEqual(
          [ann!, bob!, cy!].map(({ id }) => ({
            topic: `user:${id}`,
            head: { version: 1, kind: 'membership', chatId: body.id, eventSequence: 3, userId: id },
            body: '',
          })),
        );
      });

      test('404 user_not_found: and nothing is made', async () => {
        const [one] = await api.newUsers(1);
        const { status, body } = await createChat(one!, { participantUserIds: [bob!.id, nobody] });
        expect([status, body.code]).toEqual([404, 'user_not_found']);
        expect((await api.call(one!, 'GET', '/chats')).body.data).toEqual([]);
      });

      test('a thousand participants, and a chat object shows the first 20', async () => {
        const [owner, ...others] = await api.newUsers(1_000);
        const chat = await api.newGroup(owner!, ...others);
        expect([chat.participantCount, chat.eventSequence]).toEqual([1_000, 1_000]);
        expect(ids(chat.participants)).toEqual([owner!, ...others].slice(0, 20).map(({ id }) => id));
        const tooMany = await createChat(ann!, {
          participantUserIds: [owner!, ...others].map(({ id }) => id),
        });
        expect([tooMany.status, tooMany.body.code]).toEqual([422, 'validation_failed']);
      });

      test('an announcement that fails does not fail the request', async () => {
        api.faults.notifier = new Error('Redis is away');
        const { status, body } = await createChat(ann!, { participantUserIds: [bob!.id, cy!.id] });
        const removed = await remove(ann!, body.id, cy!);
        const added = await add(ann!, body.id, cy!);
        api.faults.notifier = undefined;
        expect([status, removed.status, added.status]).toEqual([201, 204, 200]);
      });
    });

    describe('listing', () => {
      test('newest activity first, with the last message, page by page', async () => {
        const [one, two] = await api.newUsers(2);
        const chats: Chat[] = [];
        for (let at = 0; at < 5; at += 1) chats.push(await api.newGroup(one!, two!));
        const { body: accepted } = await api.send(two!, chats[1]!.id, 'hello');
        await api.stored(chats[1]!.id, 1);

        const pages: Chat[][] = [];
        let cursor: string | null = null;
        do {
          const query: string = cursor === null ? '' : `&cursor=${cursor}`;
          const { status, body } = await api.call(one!, 'GET', `/chats?limit=2${query}`);
          expect(status).toBe(200);
          pages.push(body.data);
          cursor = body.nextCursor;
        } while (cursor !== null);

        expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
        const [first, ...rest] = pages.flat();
        expect(first).toMatchObject({
          id: chats[1]!.id,
          lastSequence: 1,
          eventSequence: 3,
          lastMessage: { id: accepted.brokerMessageId, content: 'hello', sequence: 1, senderId: two!.id },
        });
        expect(first).toEqual(await getChat(one!, chats[1]!.id));
        expect(rest.map(({ id }) => id)).toEqual([4, 3, 2, 0].map((at) => chats[at]!.id));
      });

      test('a chat that was left is not in it', async () => {
        const [one, two] = await api.newUsers(2);
        const chat = await api.newGroup(one!, two!);
        await remove(two!, chat.id, two!);
        expect((await api.call(two!, 'GET', '/chats')).body).toEqual({ data: [], nextCursor: null });
        expect((await api.call(one!, 'GET', '/chats')).body.data).toHaveLength(1);
      });

      test('online is what presence knows', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await api.presence.update(bob!.id, new Set(['socket']));
        const online = (await getChat(ann!, chat.id)).participants.map((participant) => participant.online);
        await api.presence.update(bob!.id, new Set());
        expect(online).toEqual([false, true]);
      });
    });

    describe('participants', () => {
      test('200: added together, with one number and one announcement to the chat', async () => {
        const chat = await api.newGroup(ann!, bob!);
        api.announced.length = 0;
        const { status, body } = await add(ann!, chat.id, dee, cy, bob, dee);
        expect(status).toBe(200);
        expect(body).toEqual({
          data: [participantOf(dee!, 'member'), participantOf(cy!, 'member'), participantOf(bob!, 'member')],
          nextCursor: null,
        });
        expect(await getChat(dee!, chat.id)).toMatchObject({ participantCount: 4, eventSequence: 3 });
        const head = { version: 1, chatId: chat.id, eventSequence: 3 } as const;
        const membership = ({ id: userId }: TestUser) => ({ ...head, kind: 'membership', userId }) as const;
        expect(api.announced.splice(0)).toEqual([
          {
            topic: `chat:${chat.id}`,
            head: { ...head, kind: 'change', event: 'chat.participant.added' },
            body: '',
          },
          { topic: `user:${dee!.id}`, head: membership(dee!), body: '' },
          { topic: `user:${cy!.id}`, head: membership(cy!), body: '' },
        ]);
      });

      test('250 who are added at once are three numbers, three events and two pages and a half, nobody twice', async () => {
        const crowd = await api.newUsers(250);
        const chat = await api.newGroup(ann!, bob!);
        api.announced.length = 0;
        const { status, body } = await add(ann!, chat.id, ...crowd);
        expect([status, ids(body.data)]).toEqual([200, ids(crowd.map(({ id }) => ({ userId: id })))]);
        expect(await getChat(ann!, chat.id)).toMatchObject({ participantCount: 252, eventSequence: 5 });
        const told = api.announced.splice(0).filter(({ topic }) => topic === `chat:${chat.id}`);
        expect(told.map(({ head }) => (head as { eventSequence: number }).eventSequence)).toEqual([3, 4, 5]);

        const changes = await api.call(ann!, 'GET', `/chats/${chat.id}/changes?after=2`);
        expect(changes.body.eventSequence).toBe(5);
        const events: { event: string; payload: ParticipantEvent }[] = changes.body.data;
        expect(events.map(({ event, payload }) => [event, payload.eventSequence])).toEqual(
          [3, 4, 5].map((number) => ['chat.participant.added', number]),
        );
        const inEvents = events.flatMap(({ payload }) => payload.participants ?? []);
        expect(events.map(({ payload }) => payload.participants?.length)).toEqual([100, 100, 50]);
        expect(events.map(({ payload }) => payload.participants?.[0])).toEqual(
          events.map(({ payload }) => payload.participant),
        );
        expect(ids(inEvents).sort()).toEqual(crowd.map(({ id }) => id).sort());

        const listed: Participant[] = [];
        for (let cursor: string | null = ''; cursor !== null; ) {
          const page = await api.call(
            ann!,
            'GET',
            `/chats/${chat.id}/participants?limit=100${cursor && `&cursor=${cursor}`}`,
          );
          listed.push(...page.body.data);
          cursor = page.body.nextCursor;
        }
        expect(listed.length).toBe(252);
        expect(new Set(ids(listed)).size).toBe(252);
      });

      test('409: who has left by themselves is not put back by whoever had added them', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        await add(ann!, chat.id, dee);
        await remove(bob!, chat.id, bob!);
        await remove(dee!, chat.id, dee!);
        for (const [left, others] of [
          [bob!, []],
          [dee!, await api.newUsers(1)],
        ] as const) {
          const { status, body } = await add(ann!, chat.id, ...others, left);
          expect([status, body.code]).toEqual([409, 'recently_left']);
          expect(body.detail).toContain(left.id);
        }
        expect(await getChat(ann!, chat.id)).toMatchObject({ participantCount: 2 });
      });

      test('200: they come back by another owner, after a day, or if it was the owner who had removed them', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        await api.database.query(
          `UPDATE chat_participants SET role = 'owner' WHERE chat_id = $1::uuid AND user_id = $2::uuid`,
          [chat.id, cy!.id],
        );
        await remove(bob!, chat.id, bob!);
        expect((await add(cy!, chat.id, bob)).status).toBe(200);
        await remove(bob!, chat.id, bob!);
        expect((await add(cy!, chat.id, bob)).body.code).toBe('recently_left');
        await api.database.query(
          `UPDATE chat_participants SET left_at = now() - interval '25 hours'
          WHERE chat_id = $1::uuid AND user_id = $2::uuid`,
          [chat.id, bob!.id],
        );
        expect((await add(cy!, chat.id, bob)).status).toBe(200);
        await remove(cy!, chat.id, bob!);
        expect((await add(cy!, chat.id, bob)).status).toBe(200);
      });

      test('adding who is there already changes nothing and tells nobody', async () => {
        const chat = await api.newGroup(ann!, bob!);
        api.announced.length = 0;
        const { status, body } = await add(ann!, chat.id, bob, ann);
        expect(status).toBe(200);
        expect(body.data).toMatchObject([
          { userId: bob!.id, role: 'member' },
          { userId: ann!.id, role: 'owner' },
        ]);
        expect(await getChat(ann!, chat.id)).toEqual(chat);
        expect(api.announced).toEqual([]);
      });

      test('204: who is removed is announced, with one number, and is out', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        api.announced.length = 0;
        const { status, body } = await remove(ann!, chat.id, bob!);
        expect([status, body]).toEqual([204, undefined]);
        const head = { version: 1, chatId: chat.id, eventSequence: 4 } as const;
        expect(api.announced.splice(0)).toEqual([
          {
            topic: `chat:${chat.id}`,
            head: { ...head, kind: 'change', event: 'chat.participant.removed' },
            body: '',
          },
          {
            topic: `user:${bob!.id}`,
            head: { ...head, kind: 'membership', userId: bob!.id },
            body: '',
          },
        ]);
        expect((await api.call(bob!, 'GET', `/chats/${chat.id}`)).status).toBe(404);
      });

      test('who is removed sends no more, however lately they did', async () => {
        const chat = await api.newGroup(ann!, bob!);
        expect((await api.send(bob!, chat.id, 'one')).status).toBe(202);
        expect((await api.send(bob!, chat.id, 'two')).status).toBe(202);
        await remove(ann!, chat.id, bob!);
        const { status, body } = await api.send(bob!, chat.id, 'three');
        expect([status, body.code]).toEqual([404, 'chat_not_found']);
      });

      test('who comes back is a member again, sends at once, and keeps the number of the first coming', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        await remove(ann!, chat.id, bob!);
        const { body } = await add(ann!, chat.id, bob);
        expect(body.data).toEqual([participantOf(bob!, 'member')]);
        expect((await api.send(bob!, chat.id, 'back')).status).toBe(202);
        expect(ids((await getChat(ann!, chat.id)).participants)).toEqual([ann!.id, cy!.id, bob!.id]);
        const [row] = await api.database.query(
          `SELECT created_event_sequence AS created, changed_event_sequence AS changed, left_at
          FROM chat_participants WHERE chat_id = $1::uuid AND user_id = $2::uuid`,
          [chat.id, bob!.id],
        );
        expect(row).toEqual({ created: 2, changed: 5, left_at: null });
      });

      test('the last owner to leave passes the chat to its longest member, with a number of its own', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await add(ann!, chat.id, cy);
        api.announced.length = 0;
        expect((await remove(ann!, chat.id, ann!)).status).toBe(204);
        const now = await getChat(bob!, chat.id);
        expect(now.participants.map(({ userId, role }) => [userId, role])).toEqual([
          [bob!.id, 'owner'],
          [cy!.id, 'member'],
        ]);
        expect(now.eventSequence).toBe(5);
        const told = api.announced.splice(0).map(({ head }) => head);
        expect(told).toMatchObject([
          { kind: 'change', event: 'chat.participant.removed', eventSequence: 4 },
          { kind: 'membership', eventSequence: 4, userId: ann!.id },
          { kind: 'change', event: 'chat.participant.added', eventSequence: 5 },
        ]);
        expect((await add(bob!, chat.id, dee)).status).toBe(200);
      });

      test('the very last one leaves too', async () => {
        const chat = await api.newGroup(ann!);
        expect((await remove(ann!, chat.id, ann!)).status).toBe(204);
        expect((await api.call(ann!, 'GET', `/chats/${chat.id}`)).status).toBe(404);
      });

      test('all leave at once: nobody is left, and no number is missing or taken twice', async () => {
        const everybody = await api.newUsers(10);
        const chat = await api.newGroup(everybody[0]!, ...everybody.slice(1));
        const answers = await Promise.all(everybody.map((user) => remove(user, chat.id, user)));
        expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(204));
        const rows = await api.database.query<{ changed: number; active: boolean }>(
          `SELECT changed_event_sequence AS changed, left_at IS NULL AS active
          FROM chat_participants WHERE chat_id = $1::uuid`,
          [chat.id],
        );
        expect(rows.some(({ active }) => active)).toBe(false);
        expect(new Set(rows.map(({ changed }) => changed)).size).toBe(10);
      });

      test('an owner who leaves while another is added and all others send leaves exactly one owner', async () => {
        const [owner, heir, ...others] = await api.newUsers(6);
        const chat = await api.newGroup(owner!, heir!, ...others);
        const sends = others.map((user) => api.send(user, chat.id, 'meanwhile'));
        const statuses = await Promise.all([
          remove(owner!, chat.id, owner!),
          add(owner!, chat.id, eve),
          remove(owner!, chat.id, owner!),
          ...sends,
        ]);
        expect(statuses.slice(3).every(({ status }) => status === 202)).toBe(true);
        expect([204, 404]).toContain(statuses[0]!.status);
        expect([200, 404]).toContain(statuses[1]!.status);
        await api.stored(chat.id, others.length);
        const now = await getChat(heir!, chat.id);
        expect(now.participants.filter(({ role }) => role === 'owner').map(({ userId }) => userId)).toEqual([
          heir!.id,
        ]);
        const [numbers] = await api.database.query<{ taken: number; rows: number }>(
          `SELECT count(DISTINCT n)::int AS taken, count(*)::int AS rows FROM (
            SELECT changed_event_sequence AS n FROM chat_participants WHERE chat_id = $1::uuid
            UNION ALL SELECT event_sequence FROM messages WHERE chat_id = $1::uuid
          ) numbers`,
          [chat.id],
        );
        expect(numbers!.taken).toBe(numbers!.rows);
      });

      test('the list goes on from page to page, also past somebody who has left meanwhile', async () => {
        const [owner, ...others] = await api.newUsers(7);
        const chat = await api.newGroup(owner!, ...others);
        const first = await api.call(owner!, 'GET', `/chats/${chat.id}/participants?limit=3`);
        expect(first.status).toBe(200);
        await remove(others[1]!, chat.id, others[1]!);
        const second = await api.call(
          owner!,
          'GET',
          `/chats/${chat.id}/participants?limit=3&cursor=${first.body.nextCursor}`,
        );
        const third = await api.call(
          owner!,
          'GET',
          `/chats/${chat.id}/participants?cursor=${second.body.nextCursor}`,
        );
        expect(first.body.data[0]).toEqual(participantOf(owner!, 'owner'));
        expect([first, second, third].map(({ body }) => ids(body.data))).toEqual([
          [owner!, others[0]!, others[1]!].map(({ id }) => id),
          [others[2]!, others[3]!, others[4]!].map(({ id }) => id),
          [others[5]!.id],
        ]);
        expect(third.body.nextCursor).toBeNull();
      });

      test('a page past the end is empty', async () => {
        const [owner, last] = await api.newUsers(2);
        const chat = await api.newGroup(owner!, last!);
        const { body } = await api.call(owner!, 'GET', `/chats/${chat.id}/participants?limit=1`);
        await remove(owner!, chat.id, last!);
        const rest = await api.call(
          owner!,
          'GET',
          `/chats/${chat.id}/participants?cursor=${body.nextCursor}`,
        );
        expect([rest.status, rest.body]).toEqual([200, { data: [], nextCursor: null }]);
      });
    });

    describe('refusals', () => {
      test('403 not_owner: a member adds nobody and removes nobody else', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        const answers = [
          await add(bob!, chat.id, dee),
          await remove(bob!, chat.id, cy!),
          await remove(bob!, chat.id, dee!),
        ];
        expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
          Array(3).fill([403, 'not_owner']),
        );
        expect(await getChat(ann!, chat.id)).toEqual(chat);
      });

      test('409 chat_is_direct: nobody joins or leaves', async () => {
        const { body: chat } = await createChat(ann!, { participantUserIds: [bob!.id] });
        const answers = [
          await add(ann!, chat.id, cy),
          await remove(ann!, chat.id, bob!),
          await remove(bob!, chat.id, bob!),
        ];
        expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
          Array(3).fill([409, 'chat_is_direct']),
        );
      });

      test('404 user_not_found: adding nobody known, removing who is not there', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await remove(ann!, chat.id, bob!);
        const unknown = await api.call(ann!, 'POST', `/chats/${chat.id}/participants`, {
          userIds: [cy!.id, nobody],
        });
        const answers = [unknown, await remove(ann!, chat.id, dee!), await remove(ann!, chat.id, bob!)];
        expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
          Array(3).fill([404, 'user_not_found']),
        );
        expect((await getChat(ann!, chat.id)).participantCount).toBe(1);
      });
    });

    describe('changes', () => {
      const changes = async (user: TestUser, chatId: string, after: number) =>
        (await api.call(user, 'GET', `/chats/${chatId}/changes?after=${after}`)).body;

      test('200: what a socket would have been sent, own messages as saved, and how far it reaches', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await api.send(ann!, chat.id, 'of ann');
        await api.send(bob!, chat.id, 'of bob');
        await api.stored(chat.id, 2);
        await add(ann!, chat.id, cy!);
        await remove(ann!, chat.id, bob!);
        const { data, eventSequence } = await changes(ann!, chat.id, chat.eventSequence);
        const { data: history } = (await api.call(ann!, 'GET', `/chats/${chat.id}/messages`)).body;
        const first = chat.eventSequence + 1;
        const own = { chatId: chat.id, message: history[0], eventSequence: first };
        const others = { chatId: chat.id, message: history[1], eventSequence: first + 1 };
        const added = {
          chatId: chat.id,
          participant: participantOf(cy!, 'member'),
          eventSequence: first + 2,
        };
        const removed = {
          chatId: chat.id,
          participant: participantOf(bob!, 'member'),
          eventSequence: first + 3,
        };
        expect(data).toEqual([
          { event: 'chat.message.saved', payload: own },
          { event: 'chat.message.new', payload: others },
          { event: 'chat.participant.added', payload: added },
          { event: 'chat.participant.removed', payload: removed },
        ]);
        expect(eventSequence).toBe(first + 3);
        expect(await changes(ann!, chat.id, eventSequence)).toEqual({ data: [], eventSequence });
        // Nothing of ann's own chat but what is numbered after the cursor.
        expect((await changes(cy!, chat.id, first + 1)).data).toHaveLength(2);
      });

      test('200: goes on where it ended, 500 events or 256 KiB at a time', async () => {
        const chat = await api.newGroup(ann!);
        await Promise.all(Array.from({ length: 620 }, (_, at) => api.send(ann!, chat.id, `short ${at}`)));
        const long = 'x'.repeat(8_000);
        for (let at = 0; at < 40; at += 1) await api.send(ann!, chat.id, long);
        await api.stored(chat.id, 660);
        const pages = [];
        for (let after = 0; ; ) {
          const page = await changes(ann!, chat.id, after);
          if (page.data.length === 0) break;
          pages.push(page.data);
          expect(page.eventSequence).toBe(page.data.at(-1).payload.eventSequence);
          after = page.eventSequence;
        }
        const numbers = pages.flat().map(({ payload }) => payload.eventSequence);
        expect(numbers).toEqual(Array.from({ length: 661 }, (_, at) => at + 1));
        expect(pages[0]).toHaveLength(500);
        for (const page of pages) expect(JSON.stringify(page).length).toBeLessThanOrEqual(256 * 1024);
        expect(pages.length).toBeGreaterThanOrEqual(3);
      }, 60_000);

      test('200: a cursor beyond the head is answered with where to begin again', async () => {
        const chat = await api.newGroup(ann!);
        const { eventSequence } = chat;
        expect(await changes(ann!, chat.id, eventSequence + 1)).toEqual({
          data: [{ event: 'chat.sync.reset', payload: { chatId: chat.id, eventSequence } }],
          eventSequence,
        });
      });
    });

    describe('messages', () => {
      test('202 with the two ids alone; the history shows the message under the first', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const clientMessageId = '11111111-1111-1111-1111-AAAAAAAAAAAA';
        const { status, body } = await api.send(ann!, chat.id, 'Hello from sender', clientMessageId);
        expect(status).toBe(202);
        expect(body).toEqual({
          brokerMessageId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/),
          clientMessageId: clientMessageId.toLowerCase(),
        });
        await api.stored(chat.id, 1);
        const message: Message = {
          id: body.brokerMessageId,
          chatId: chat.id,
          senderId: ann!.id,
          content: 'Hello from sender',
          messageType: 'text',
          status: 'sent',
          sequence: 1,
          sentAt: api.sent.at(-1)!.sentAt,
          clientMessageId: clientMessageId.toLowerCase(),
        };
        expect((await api.call(bob!, 'GET', `/chats/${chat.id}/messages`)).body).toEqual({
          data: [message],
          page: { hasBefore: false, hasAfter: false, eventSequence: 3 },
        });
        const one = await api.call(bob!, 'GET', `/chats/${chat.id}/messages/${message.id.toUpperCase()}`);
        expect([one.status, one.body]).toEqual([200, message]);
        expect((await getChat(bob!, chat.id)).lastMessage).toEqual(message);
      });

      test('ids in upper case name the same chat, and derive the same message', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const key = newId();
        const lower = await api.send(ann!, chat.id, 'case', key);
        const upper = await api.send(ann!, chat.id.toUpperCase(), 'case', key.toUpperCase());
        expect(upper.body).toEqual(lower.body);
      });

      test('a clientMessageId is minted when there is none, another each time', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const one = await api.send(ann!, chat.id, 'same');
        const two = await api.send(ann!, chat.id, 'same');
        expect(one.body.clientMessageId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        expect(two.body.brokerMessageId).not.toBe(one.body.brokerMessageId);
      });

      test('the same send twice, a hundred at once, and with another body: one id, one row, the first stands', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const key = newId();
        const answers = [
          await api.send(ann!, chat.id, 'first', key),
          await api.send(ann!, chat.id, 'first', key),
        ];
        answers.push(
          ...(await Promise.all(Array.from({ length: 100 }, () => api.send(ann!, chat.id, 'first', key)))),
        );
        answers.push(await api.send(ann!, chat.id, 'second', key));
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
        expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
        // By another sender it is another message; and it comes after all of these.
        await api.send(bob!, chat.id, 'mine', key);
        await api.stored(chat.id, 2);
        const { body } = await api.call(ann!, 'GET', `/chats/${chat.id}/messages`);
        expect(body.data.map(({ content }: Message) => content)).toEqual(['first', 'mine']);
      });

      test('content is kept to the letter', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const contents = [
          '  padded \n',
          'a\u0301 and á',
          '👩‍👩‍👧‍👦',
          '\u2028\\"',
          'x'.repeat(8_000),
          '😀'.repeat(4_000),
          '\u200b',
        ];
        for (const content of contents) expect((await api.send(ann!, chat.id, content)).status).toBe(202);
        await api.stored(chat.id, contents.length);
        const { body } = await api.call(bob!, 'GET', `/chats/${chat.id}/messages`);
        expect(body.data.map(({ content }: Message) => content)).toEqual(contents);
      });

      test('a page is the text that JSON.stringify makes of its messages', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const control = String.fromCharCode(...Array.from({ length: 31 }, (_, at) => at + 1));
        const contents = [
          `${control}.`,
          '"\\/\\n\\u0041',
          '\u007f\u0080\u00ad\u2028\u2029\ufeff.',
          "</script>'&",
          '\ud7ff\ue000\u{10ffff}',
        ];
        for (const content of contents) expect((await api.send(ann!, chat.id, content)).status).toBe(202);
        await api.stored(chat.id, contents.length);
        const one = await Promise.all(
          api.sent
            .slice(-contents.length)
            .map(({ brokerMessageId }) =>
              api.call(bob!, 'GET', `/chats/${chat.id}/messages/${brokerMessageId}`),
            ),
        );
        const page = await api.app.request(`/chats/${chat.id}/messages`, {
          headers: { authorization: `Bearer ${bob!.token}` },
        });
        expect(page.headers.get('content-type')).toBe('application/json');
        expect(await page.text()).toBe(
          JSON.stringify({
            data: one.map(({ body }) => body),
            page: { hasBefore: false, hasAfter: false, eventSequence: 2 + contents.length },
          }),
        );
        expect(one.map(({ body }) => body.content)).toEqual(contents);
      });

      test('the request id goes with the message', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const { headers } = await api.send(ann!, chat.id, 'traced');
        expect(headers.get('x-request-id')).toBeTruthy();
        expect(api.sent.at(-1)).toMatchObject({ requestId: headers.get('x-request-id')!, version: 1 });
      });

      test('404 message_not_found: an id of no message, and of another chat', async () => {
        const [here, there] = [await api.newGroup(ann!, bob!), await api.newGroup(ann!, bob!)];
        const { body } = await api.send(ann!, there.id, 'there');
        await api.stored(there.id, 1);
        for (const id of [nobody, body.brokerMessageId]) {
          const answer = await api.call(ann!, 'GET', `/chats/${here.id}/messages/${id}`);
          expect([answer.status, answer.body.code]).toEqual([404, 'message_not_found']);
        }
      });

      test('history: before and after exclude their message; hasBefore and hasAfter say what is beyond', async () => {
        const chat = await api.newGroup(ann!, bob!);
        for (let at = 1; at <= 7; at += 1) await api.send(ann!, chat.id, String(at));
        await api.stored(chat.id, 7);
        const rows: [string, number[], boolean, boolean][] = [
          ['', [1, 2, 3, 4, 5, 6, 7], false, false],
          ['?limit=3', [5, 6, 7], true, false],
          ['?limit=7', [1, 2, 3, 4, 5, 6, 7], false, false],
          ['?limit=3&before=5', [2, 3, 4], true, true],
          ['?limit=3&before=4', [1, 2, 3], false, true],
          ['?before=1', [], false, true],
          ['?before=0', [], false, true],
          ['?before=8', [1, 2, 3, 4, 5, 6, 7], false, false],
          [`?limit=2&before=${Number.MAX_SAFE_INTEGER}`, [6, 7], true, false],
          ['?limit=3&after=0', [1, 2, 3], false, true],
          ['?limit=3&after=2', [3, 4, 5], true, true],
          ['?limit=3&after=4', [5, 6, 7], true, false],
          ['?after=7', [], true, false],
          [`?after=${Number.MAX_SAFE_INTEGER}`, [], true, false],
        ];
        for (const [query, sequences, hasBefore, hasAfter] of rows) {
          const { status, body } = await api.call(bob!, 'GET', `/chats/${chat.id}/messages${query}`);
          expect([query, status, body.data.map(({ sequence }: Message) => sequence), body.page]).toEqual([
            query,
            200,
            sequences,
            { hasBefore, hasAfter, eventSequence: 9 },
          ]);
        }
      });

      test('an empty history has nothing before and nothing after', async () => {
        const chat = await api.newGroup(ann!, bob!);
        for (const query of ['', '?before=0', '?before=9', '?after=0', '?after=9']) {
          const { body } = await api.call(bob!, 'GET', `/chats/${chat.id}/messages${query}`);
          expect([query, body]).toEqual([
            query,
            { data: [], page: { hasBefore: false, hasAfter: false, eventSequence: 2 } },
          ]);
        }
      });

      test('who is new sees the whole history', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await api.send(ann!, chat.id, 'before you came');
        await api.stored(chat.id, 1);
        await add(ann!, chat.id, dee);
        const { body } = await api.call(dee!, 'GET', `/chats/${chat.id}/messages`);
        expect(body.data.map(({ content }: Message) => content)).toEqual(['before you came']);
      });
    });
  });
}

function participantOf(user: TestUser, role: Participant['role']): Participant {
  return {
    userId: user.id,
    displayName: expect.any(String) as never,
    role,
    joinedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as never,
    online: false,
  };
}
