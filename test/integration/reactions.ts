import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Announce } from '../../src/changes/announce.ts';
import { createGatherReactions, type React } from '../../src/chat/gather-reactions.ts';
import type { Database } from '../../src/db/database.ts';
import { purgeReactions } from '../../src/db/queries/reactions.ts';
import type { Chat, Message, MessageReactions, Reaction } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { kindsOfBefore } from '../../src/shared/ports/registry.ts';
import { changesOf } from '../support/changes-of.ts';
import type { Answer, ChatApi, TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';

type OfMessage = Pick<Message, 'chatId' | 'id'>;

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** Reactions over whichever adapters; the caller opens them and closes what it opened. */
export function reactionsSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`reactions over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy, dee]: TestUser[] = [];
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy, dee] = await api.newUsers(4);
      const announce: Announce = async (notifications) => void api.announced.push(...notifications);
      gather = createGatherReactions({ database: api.database, announce, liveMax: 100 });
    }, 60_000);
    afterAll(() => api.close());

    /** What is asked in one turn is gathered together, however long admission takes. */
    let gather: React;
    const path = ({ chatId, id }: OfMessage) => `/chats/${chatId}/messages/${id}`;
    const react = (user: TestUser, message: OfMessage, key: string, method: 'PUT' | 'DELETE' = 'PUT') =>
      api.call(user, method, `${path(message)}/reactions/${encodeURIComponent(key)}`);
    const atOnce = (...all: (readonly [TestUser, OfMessage, string, 'PUT' | 'DELETE'])[]) =>
      Promise.allSettled(
        all.map(([{ id: userId }, { chatId, id: messageId }, key, method]) =>
          gather({ chatId, messageId, userId, key, present: method === 'PUT' }),
        ),
      );
    const who = (user: TestUser, message: OfMessage, query = '') =>
      api.call(user, 'GET', `${path(message)}/reactions${query}`);
    const read = async (user: TestUser, message: OfMessage): Promise<Message> =>
      (await api.call(user, 'GET', path(message))).body;
    const chatOf = async (user: TestUser, chatId: string): Promise<Chat> =>
      (await api.call(user, 'GET', `/chats/${chatId}`)).body;
    const outcome = ({ status, body }: Answer) => (status < 400 ? `${status}` : `${status} ${body.code}`);
    const shown = (key: string, ...users: TestUser[]): Reaction => ({
      key,
      count: users.length,
      userIds: users.slice(0, 10).map(({ id }) => id),
    });
    const own = (reaction: Reaction): Reaction => ({ ...reaction, own: true });

    async function say(user: TestUser, chatId: string, content = 'said'): Promise<Message> {
      const { body: accepted } = await api.send(user, chatId, content);
      for (;;) {
        const answer = await api.call(user, 'GET', `/chats/${chatId}/messages/${accepted.brokerMessageId}`);
        if (answer.status === 200) return answer.body;
      }
    }
    /** What was announced since it was asked last. */
    const announced = () =>
      api.announced.splice(0).map(({ head, body }) => ({ head, payload: body && JSON.parse(body) }));

    test('200: everybody is told what there is now, whoever reacted too; and when it is taken back', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      const { eventSequence } = await chatOf(ann!, chat.id);
      announced();
      const { status, body } = await react(bob!, message, '👍');
      const reactions = [shown('👍', bob!)];
      const expected: MessageReactions = {
        messageId: message.id,
        reactions: reactions.map(own),
        eventSequence: eventSequence + 1,
      };
      expect([status, body]).toEqual([200, expected]);
      const { id: messageId, sequence } = message;
      const payload = {
        ...{ chatId: chat.id, messageId, sequence, reactions },
        eventSequence: eventSequence + 1,
      };
      const by = [{ userId: bob!.id, key: '👍', present: true }];
      expect(announced()).toEqual([
        {
          head: {
            ...{ version: 1, kind: 'change', chatId: chat.id, eventSequence: eventSequence + 1 },
            ...{ event: 'chat.message.reactions', sequence },
          },
          payload: { ...payload, by },
        },
      ]);
      expect(await changesOf(api, ann!, chat.id, eventSequence)).toEqual([
        { event: 'chat.message.reactions', payload },
      ]);

      // Wherever the message is shown, and to nobody else as their own.
      for (const [user, mine] of [[ann!, reactions] as const, [bob!, reactions.map(own)] as const]) {
        const with_ = { ...message, reactions: [...mine] };
        expect(await read(user, message)).toEqual(with_);
        const { body: page } = await api.call(user, 'GET', `/chats/${chat.id}/messages`);
        const { body: after } = await api.call(user, 'GET', `/chats/${chat.id}/messages?after=0`);
        expect([page.data, after.data]).toEqual([[with_], [with_]]);
        expect((await chatOf(user, chat.id)).lastMessage).toEqual(with_);
        expect((await api.call(user, 'GET', '/chats?limit=1')).body.data[0].lastMessage).toEqual(with_);
      }
      const edited = await api.call(ann!, 'PATCH', path(message), { content: 'edited' });
      expect(edited.body).toMatchObject({ content: 'edited', reactions });
      await react(ann!, message, ':+1:');
      expect((await api.call(ann!, 'PATCH', path(message), { content: 'again' })).body.reactions).toEqual([
        ...reactions,
        own(shown(':+1:', ann!)),
      ]);
      expect(announced().at(-1)?.payload.message.reactions).toEqual([...reactions, shown(':+1:', ann!)]);

      await react(ann!, message, ':+1:', 'DELETE');
      announced();
      const back = await react(bob!, message, '👍', 'DELETE');
      expect(back.body).toMatchObject({ messageId, reactions: [], eventSequence: eventSequence + 6 });
      expect(announced().map((one) => one.payload)).toEqual([
        {
          ...{ chatId: chat.id, messageId, sequence, reactions: [], eventSequence: eventSequence + 6 },
          by: [{ userId: bob!.id, key: '👍', present: false }],
        },
      ]);
      expect('reactions' in (await read(bob!, message))).toBe(false);
    });

    test('what changes nothing takes no number, and is told to nobody', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      const created = (await chatOf(ann!, chat.id)).eventSequence;
      const none = await react(bob!, message, '👍', 'DELETE');
      expect([none.status, none.body]).toEqual([
        200,
        { messageId: message.id, reactions: [], eventSequence: created },
      ]);
      const first = await react(bob!, message, '👍');
      announced();
      const again = await Promise.all([react(bob!, message, '👍'), react(ann!, message, '🎉', 'DELETE')]);
      expect(again[0].body).toEqual(first.body);
      expect(again[1].body).toEqual({ ...first.body, reactions: [shown('👍', bob!)] });
      expect(announced()).toEqual([]);
      expect((await chatOf(ann!, chat.id)).eventSequence).toBe(created + 1);
    });

    test('of what one does at once the last counts, and what it comes to is told', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      announced();
      const { id: messageId } = message;
      const { eventSequence } = await chatOf(ann!, chat.id);
      const answers = await atOnce(
        [bob!, message, '👍', 'PUT'],
        [bob!, message, '👍', 'DELETE'],
        [ann!, message, '🎉', 'DELETE'],
        [ann!, message, '🎉', 'PUT'],
      );
      const reactions = [shown('🎉', ann!)];
      expect(answers).toEqual(
        [reactions, reactions, reactions.map(own), reactions.map(own)].map((seen) => ({
          ...{ status: 'fulfilled', value: { messageId, reactions: seen, eventSequence: eventSequence + 1 } },
        })),
      );
      expect(announced().map(({ payload }) => payload.by)).toEqual([
        [{ userId: ann!.id, key: '🎉', present: true }],
      ]);
    });

    test('one number and one event for each message, however many have reacted at once', async () => {
      const people = await api.newUsers(52);
      const chat = await api.newGroup(ann!, ...people);
      const [one, other] = [await say(ann!, chat.id), await say(ann!, chat.id)];
      const { eventSequence } = await chatOf(ann!, chat.id);
      announced();
      await atOnce(...people.map((user) => [user, one, '👍', 'PUT'] as const));
      const [told, ...more] = announced();
      expect(more).toEqual([]);
      // The first ten by name, and nobody is told who all of them were.
      expect(told?.payload).toEqual({
        ...{ chatId: chat.id, messageId: one.id, sequence: 1, eventSequence: eventSequence + 1 },
        reactions: [{ key: '👍', count: 52, userIds: expect.any(Array) }],
      });
      expect(told?.payload.reactions[0].userIds).toHaveLength(10);
      await atOnce(
        ...people.slice(0, 25).map((user) => [user, one, '👍', 'DELETE'] as const),
        ...people.slice(25, 50).map((user) => [user, other, '👍', 'PUT'] as const),
      );
      const both = announced();
      expect(both.map(({ payload }) => [payload.sequence, payload.reactions[0].count])).toEqual([
        [1, 27],
        [2, 25],
      ]);
      expect(both.map(({ payload }) => payload.by.length)).toEqual([25, 25]);
      expect((await chatOf(ann!, chat.id)).eventSequence).toBe(eventSequence + 3);
      // Who comes into the first ten when others go are those who have reacted longest.
      const { body } = await who(ann!, one, '?limit=100');
      expect(both[0]?.payload.reactions[0].userIds).toEqual(
        body.data.slice(0, 10).map(({ userId }: { userId: string }) => userId),
      );
    });

    test('in a chat of more than a hundred twice a second at most', async () => {
      const people = await api.newUsers(101);
      const chat = await api.newGroup(ann!, ...people);
      const message = await say(ann!, chat.id);
      announced();
      const began = performance.now();
      for (const user of people.slice(0, 2)) await react(user, message, '👍');
      expect(performance.now() - began).toBeGreaterThan(500);
      expect(announced().map(({ payload }) => payload.reactions[0].count)).toEqual([1, 2]);
    });

    test('twenty keys at most, also at once; who uses one that is there is not refused', async () => {
      const people = await api.newUsers(25);
      const chat = await api.newGroup(ann!, ...people);
      const message = await say(ann!, chat.id);
      const keys = people.map((_, at) => `:key-${String(at).padStart(2, '0')}:`);
      const answers = await atOnce(...people.map((user, at) => [user, message, keys[at]!, 'PUT'] as const));
      expect(answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : 200))).toEqual([
        ...Array(20).fill(200),
        ...Array(5).fill('too_many_reactions'),
      ]);
      const { reactions } = await read(ann!, message);
      // In the order of their first use, which is that of the requests.
      expect(reactions?.map(({ key }) => key)).toEqual(keys.slice(0, 20));
      const [there, another] = await Promise.all([
        react(ann!, message, keys[0]!),
        react(ann!, message, keys[20]!),
      ]);
      expect([there, another].map(outcome)).toEqual(['200', '409 too_many_reactions']);
      await react(people[5]!, message, keys[5]!, 'DELETE');
      expect(outcome(await react(ann!, message, keys[5]!))).toBe('200');
      // A key that comes again is the last one.
      expect((await read(ann!, message)).reactions?.map(({ key }) => key)).toEqual([
        ...[...keys.slice(0, 5), ...keys.slice(6, 20)],
        keys[5]!,
      ]);

      // What is nobody's any more, after all that is asked at once, leaves its place to one other.
      const swapped = await atOnce(
        [people[5]!, message, keys[20]!, 'PUT'],
        [people[5]!, message, keys[5]!, 'DELETE'],
        [ann!, message, keys[5]!, 'DELETE'],
        [ann!, message, keys[21]!, 'PUT'],
      );
      expect(swapped.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), 'rejected']);
      // Ann's is there still.
      const kept = await atOnce(
        [people[0]!, message, keys[0]!, 'DELETE'],
        [people[1]!, message, keys[21]!, 'PUT'],
      );
      expect(kept.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      expect((await read(ann!, message)).reactions?.map(({ key, count }) => `${key} ${count}`)).toEqual(
        [...keys.slice(0, 5), ...keys.slice(6, 21)].map((key) => `${key} 1`),
      );
    });

    test('a thousand are written with one call, and the others with the next', async () => {
      const chat = await api.newGroup(ann!);
      const message = await say(ann!, chat.id);
      const sizes: number[] = [];
      const query: Database['query'] = (text, parameters) => {
        sizes.push((parameters[1] as string[]).length);
        return api.database.query(text, parameters);
      };
      const counted = createGatherReactions({
        ...{ database: { ...api.database, query }, announce: async () => {}, liveMax: 100 },
      });
      const one = { chatId: chat.id, messageId: message.id, userId: ann!.id, key: '👍' };
      const answers = await Promise.all(
        Array.from({ length: 1_100 }, (_, at) => counted({ ...one, present: at < 1_000 })),
      );
      expect(sizes).toEqual([1_000, 100]);
      expect([answers[0], answers[1_099]].map((answer) => answer?.reactions.length)).toEqual([1, 0]);
    });

    test('422: what is no key; an emoji is one however its program writes it', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      const bad = [
        '👍👍',
        'x',
        '\u{1F8FF}',
        '🇩',
        ':Up:',
        ':a b:',
        '::',
        `:${'a'.repeat(33)}:`,
        '👩‍🐶',
        '❤\u{FE0E}',
      ];
      const refused = await Promise.all([
        ...bad.flatMap((key) => [react(ann!, message, key), react(ann!, message, key, 'DELETE')]),
        who(ann!, message, '?key=x'),
        who(ann!, message, '?cursor=x'),
      ]);
      expect(refused.map((answer) => [outcome(answer), answer.body.errors[0].path])).toEqual([
        ...Array(2 * bad.length).fill(['422 validation_failed', 'key']),
        ['422 validation_failed', 'key'],
        ['422 validation_failed', 'cursor'],
      ]);

      // Sent as it is on the left, kept as it is on the right.
      const name = `:${'a-_+9'.repeat(6)}xy:`;
      const good = [
        ['❤', '❤\u{FE0F}'],
        ['❤\u{FE0F}', '❤\u{FE0F}'],
        ['👍🏽', '👍🏽'],
        ['👨‍👩‍👧‍👦', '👨‍👩‍👧‍👦'],
        ['🇩🇪', '🇩🇪'],
        ['3\u{20E3}', '3\u{FE0F}\u{20E3}'],
        ['🏳\u{200D}🌈', '🏳\u{FE0F}\u{200D}🌈'],
        [name, name],
      ] as const;
      for (const answer of await Promise.all(good.map(([given]) => react(ann!, message, given)))) {
        expect(outcome(answer)).toBe('200');
      }
      const kept = [...new Set(good.map(([, key]) => key))];
      expect((await read(ann!, message)).reactions).toEqual(kept.map((key) => own(shown(key, ann!))));
      const { body } = await who(bob!, message, `?key=${encodeURIComponent('❤')}`);
      expect(body).toEqual({
        data: [{ userId: ann!.id, key: '❤\u{FE0F}', reactedAt: instant }],
        nextCursor: null,
      });
      await react(ann!, message, '❤', 'DELETE');
      expect((await read(ann!, message)).reactions?.map(({ key }) => key)).toEqual(kept.slice(1));
    });

    test('404 for who is not in the chat, who was removed among them; what they gave before stays', async () => {
      const chat = await api.newGroup(ann!, bob!, dee!);
      const message = await say(ann!, chat.id);
      await react(dee!, message, '👍');
      expect((await api.call(ann!, 'DELETE', `/chats/${chat.id}/participants/${dee!.id}`)).status).toBe(204);
      const { eventSequence } = await chatOf(ann!, chat.id);
      announced();
      const elsewhere = await say(bob!, (await api.newGroup(bob!)).id);
      const answers = await Promise.all([
        ...[dee!, cy!].flatMap((user) => [
          react(user, message, '👍', 'DELETE'),
          react(user, message, '🎉'),
          who(user, message),
        ]),
        ...[newId(), elsewhere.id].flatMap((id) => [
          react(ann!, { chatId: chat.id, id }, '👍'),
          react(ann!, { chatId: chat.id, id }, '👍', 'DELETE'),
          who(ann!, { chatId: chat.id, id }),
        ]),
        react(ann!, { chatId: newId(), id: message.id }, '👍'),
        react(ann!, elsewhere, '👍'),
      ]);
      expect(answers.map(outcome)).toEqual([
        ...Array(6).fill('404 chat_not_found'),
        ...Array(6).fill('404 message_not_found'),
        ...Array(2).fill('404 chat_not_found'),
      ]);
      expect((await chatOf(ann!, chat.id)).eventSequence).toBe(eventSequence);
      expect((await read(ann!, message)).reactions).toEqual([shown('👍', dee!)]);
      expect(announced().filter(({ head }) => head.kind === 'change')).toEqual([]);
    });

    test('of a deleted message there is none left, in no table, page or change; and 409', async () => {
      const people = await api.newUsers(3);
      const chat = await api.newGroup(ann!, bob!, ...people);
      const { eventSequence } = await chatOf(ann!, chat.id);
      const [message, other] = [await say(ann!, chat.id), await say(ann!, chat.id)];
      await Promise.all(
        people.flatMap((user) => [react(user, message, ':gone:'), react(user, other, ':stays:')]),
      );
      const [deleted] = await Promise.all([
        api.call(ann!, 'DELETE', path(message)),
        ...people.map((user) => react(user, message, ':late:')),
      ]);
      expect(deleted?.status).toBe(204);
      const after = await Promise.all([react(bob!, message, '👍'), react(bob!, message, ':gone:', 'DELETE')]);
      expect(after.map(outcome)).toEqual(Array(2).fill('409 message_deleted'));
      expect((await who(bob!, message)).body).toEqual({ data: [], nextCursor: null });
      const left = await api.database.query<{ key: string }>(
        'SELECT DISTINCT key FROM reactions WHERE chat_id = $1::uuid',
        [chat.id],
      );
      expect(left).toEqual([{ key: ':stays:' }]);
      const changes = await changesOf(api, bob!, chat.id, eventSequence);
      expect(
        changes.map(({ event, payload }) => [event, payload.sequence ?? payload.message.sequence]),
      ).toEqual([
        ['chat.message.new', 1],
        ['chat.message.new', 2],
        ['chat.message.reactions', 2],
        ['chat.message.deleted', 1],
      ]);
      expect(JSON.stringify(changes)).not.toContain(':gone:');
      expect(JSON.stringify(changes)).not.toContain(':late:');
      // As it is now, and again at the number of its reactions.
      expect(changes[1]?.payload.message.reactions).toEqual(changes[2]?.payload.reactions);
      expect('reactions' in (await read(bob!, message))).toBe(false);
    });

    test('a deletion takes a thousand with it, and leaves those beyond, whom nobody is shown, to the worker', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      await react(bob!, message, '👍');
      await api.database.query(
        `INSERT INTO reactions (chat_id, user_id, sequence, key, reacted_at)
        SELECT $1::uuid, gen_random_uuid(), $2::bigint, '👍', now() FROM generate_series(1, 5000)`,
        [chat.id, message.sequence],
      );
      const left = async () => {
        const sql = 'SELECT count(*)::int AS count FROM reactions WHERE chat_id = $1::uuid';
        return (await api.database.query<{ count: number }>(sql, [chat.id]))[0]?.count;
      };
      expect((await api.call(ann!, 'DELETE', path(message))).status).toBe(204);
      expect(await left()).toBeGreaterThan(0);
      expect((await who(bob!, message)).body).toEqual({ data: [], nextCursor: null });
      expect(outcome(await react(bob!, message, '👍', 'DELETE'))).toBe('409 message_deleted');
      await eventually('all are gone', async () => (await left()) === 0);
      await eventually('nothing is left to do', async () => !(await purgeReactions(api.database)));
    }, 20_000);

    test('who has reacted comes by key, the first ones first, in pages', async () => {
      const people = await api.newUsers(6);
      const chat = await api.newGroup(ann!, ...people);
      const message = await say(ann!, chat.id);
      for (const user of people.slice(0, 3)) await react(user, message, ':b:');
      await Promise.all([
        ...people.map((user) => react(user, message, ':a:')),
        ...people.slice(3).map((user) => react(user, message, ':b:')),
      ]);
      async function all(query: string) {
        const data: { userId: string; key: string; reactedAt: string }[] = [];
        for (let cursor = ''; ; ) {
          const { body } = await who(ann!, message, `?limit=5${query}${cursor}`);
          expect(body.data.length).toBeLessThanOrEqual(5);
          data.push(...body.data);
          if (body.nextCursor === null) return data;
          cursor = `&cursor=${body.nextCursor}`;
        }
      }
      const found = await all('');
      expect(found.map(({ key }) => key)).toEqual([...Array(6).fill(':a:'), ...Array(6).fill(':b:')]);
      expect(found.slice(6, 9).map(({ userId }) => userId)).toEqual(people.slice(0, 3).map(({ id }) => id));
      const ids = people.map(({ id }) => id).toSorted();
      for (const key of [':a:', ':b:']) {
        const ofKey = found.filter((one) => one.key === key);
        expect(ofKey.map(({ userId }) => userId).toSorted()).toEqual(ids);
        expect(await all(`&key=${encodeURIComponent(key)}`)).toEqual(ofKey);
      }
    });

    test('503 while a process of before runs, which cannot tell of them, and when nothing is committed', async () => {
      const chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id);
      const { loads } = api.known;
      api.known.loads = (event) => kindsOfBefore.some((one) => one === event);
      const early = [await react(ann!, message, '👍'), await react(ann!, message, '👍', 'DELETE')];
      api.known.loads = loads;
      expect(early.map(outcome)).toEqual(Array(2).fill('503 not_ready'));
      api.faults.database = (text) => text.includes('FROM react(');
      const away = await Promise.all([react(ann!, message, '👍'), react(bob!, message, '👍')]);
      delete api.faults.database;
      expect(away.map(outcome)).toEqual(Array(2).fill('503 database_unavailable'));
      expect('reactions' in (await read(ann!, message))).toBe(false);
      expect(outcome(await react(ann!, message, '👍'))).toBe('200');
    });
  });
}
