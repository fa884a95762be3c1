import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, Message } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { kindsOfBefore } from '../../src/shared/ports/registry.ts';
import { changesOf, tableTexts } from '../support/changes-of.ts';
import type { ChatApi, TestUser } from '../support/chat-api.ts';

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const everything = {
  content: 'first words 🧭',
  mentions: { userIds: [] as string[], everyone: true },
  metadata: { secret: 'in metadata' },
};

/** Edits and deletions, over whichever adapters; the caller opens them and closes what it opened. */
export function messageChangesSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`changed messages over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy, eve]: TestUser[] = [];
    let chat: Chat;
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy, eve] = await api.newUsers(4);
    }, 60_000);
    afterAll(() => api.close());

    const path = ({ chatId, id }: Pick<Message, 'chatId' | 'id'>) => `/chats/${chatId}/messages/${id}`;
    const edit = (user: TestUser, message: Pick<Message, 'chatId' | 'id'>, body: object) =>
      api.call(user, 'PATCH', path(message), body);
    const remove = (user: TestUser, message: Pick<Message, 'chatId' | 'id'>) =>
      api.call(user, 'DELETE', path(message));
    const read = async (user: TestUser, message: Pick<Message, 'chatId' | 'id'>): Promise<Message> =>
      (await api.call(user, 'GET', path(message))).body;
    const chatOf = async (user: TestUser, chatId: string): Promise<Chat> =>
      (await api.call(user, 'GET', `/chats/${chatId}`)).body;
    const historyOf = async (user: TestUser, chatId: string): Promise<Message[]> =>
      (await api.call(user, 'GET', `/chats/${chatId}/messages?limit=100`)).body.data;

    /** As it is read once it is stored. */
    async function say(user: TestUser, chatId: string, body: object | string): Promise<Message> {
      const { status, body: accepted } = await api.call(
        user,
        'POST',
        `/chats/${chatId}/messages`,
        typeof body === 'string' ? { content: body } : body,
      );
      expect(status).toBe(202);
      for (;;) {
        const answer = await api.call(user, 'GET', `/chats/${chatId}/messages/${accepted.brokerMessageId}`);
        if (answer.status === 200) return answer.body;
      }
    }

    describe('an edit', () => {
      beforeAll(async () => {
        chat = await api.newGroup(ann!, bob!, cy!);
      });

      test('200: what it names is replaced, the rest stays, everybody is told, the editor too', async () => {
        const before = await say(ann!, chat.id, everything);
        const { eventSequence } = await chatOf(ann!, chat.id);
        api.announced.length = 0;
        const { status, body } = await edit(ann!, before, { content: 'second words' });
        expect(status).toBe(200);
        const after = {
          ...before,
          content: 'second words',
          editedAt: instant,
          version: eventSequence + 1,
        };
        expect(body).toEqual(after);
        expect(await read(bob!, before)).toEqual(body);
        const payload = { chatId: chat.id, message: body, eventSequence: eventSequence + 1 };
        expect(api.announced.splice(0)).toEqual([
          {
            topic: `chat:${chat.id}`,
            head: {
              ...{ version: 1, kind: 'change', chatId: chat.id, eventSequence: eventSequence + 1 },
              ...{ event: 'chat.message.updated', sequence: before.sequence },
            },
            body: JSON.stringify(payload),
          },
        ]);
        for (const user of [ann!, bob!]) {
          expect(await changesOf(api, user, chat.id, eventSequence)).toEqual([
            { event: 'chat.message.updated', payload },
          ]);
        }
        const last = await chatOf(bob!, chat.id);
        expect(last).toMatchObject({ lastMessage: body, eventSequence: eventSequence + 1 });
        // The activity of a chat is what is said in it.
        expect(last.lastSequence).toBe(before.sequence);
      });

      test('of metadata and of mentions, which count for those who are mentioned now', async () => {
        const before = await say(ann!, chat.id, {
          content: 'hey',
          mentions: { userIds: [bob!.id], everyone: true },
        });
        const mentioned = async () =>
          (
            await api.database.query<{ id: string | null }>(
              'SELECT user_id AS id FROM mentions WHERE chat_id = $1::uuid AND sequence = $2::bigint',
              [chat.id, before.sequence],
            )
          )
            .map(({ id }) => id)
            .toSorted();
        expect(await mentioned()).toEqual([bob!.id, null].toSorted());
        const userIds = [cy!.id.toUpperCase(), bob!.id, eve!.id, cy!.id];
        const { body } = await edit(ann!, before, { mentions: { userIds }, metadata: { a: [1] } });
        expect(body).toMatchObject({
          ...{ content: 'hey', metadata: { a: [1] } },
          mentions: { userIds: [cy!.id, bob!.id] },
        });
        expect(body.mentions.everyone).toBeUndefined();
        expect(await mentioned()).toEqual([bob!.id, cy!.id].toSorted());
        const none = await edit(ann!, before, { mentions: { userIds: [] } });
        expect('mentions' in none.body).toBe(false);
        expect(await mentioned()).toEqual([]);
        const all = await edit(ann!, before, { mentions: { userIds: [], everyone: true } });
        expect(all.body.mentions).toEqual({ userIds: [], everyone: true });
        expect(await mentioned()).toEqual([null]);
      });

      test('what changes nothing takes no number, and is told to nobody', async () => {
        const message = await say(ann!, chat.id, {
          ...everything,
          mentions: { userIds: [bob!.id, cy!.id], everyone: true },
        });
        const { eventSequence } = await chatOf(ann!, chat.id);
        api.announced.length = 0;
        const { content, mentions, metadata } = message;
        const same = [
          {},
          { content },
          { metadata },
          { mentions },
          { content, mentions: { ...mentions, userIds: [...mentions!.userIds, eve!.id] }, metadata },
        ];
        for (const body of same) {
          expect(await edit(ann!, message, body)).toMatchObject({ status: 200, body: message });
        }
        expect(api.announced).toEqual([]);
        expect((await chatOf(ann!, chat.id)).eventSequence).toBe(eventSequence);
        // The order of fields is the host's own.
        const other = await edit(ann!, message, { metadata: { ...metadata, another: 1 } });
        expect(other.body.version).toBe(eventSequence + 1);
      });

      test('a repeat of what was sent first says and changes nothing, whatever it was sent with', async () => {
        for (const body of [{ content: 'plain first' }, everything]) {
          const clientMessageId = newId();
          const message = await say(ann!, chat.id, { ...body, clientMessageId });
          const edited = (await edit(ann!, message, { content: 'edited' })).body;
          await say(ann!, chat.id, { ...body, clientMessageId });
          const next = await say(ann!, chat.id, 'after it');
          expect(next.sequence).toBe(message.sequence + 1);
          expect(await read(bob!, message)).toEqual(edited);
        }
      });

      test('two at once, thirty times: every number once, and the last one is what there is', async () => {
        const message = await say(ann!, chat.id, 'raced');
        const { eventSequence } = await chatOf(ann!, chat.id);
        api.announced.length = 0;
        const answers = await Promise.all(
          Array.from({ length: 60 }, (_, at) => edit(ann!, message, { content: `edit ${at}` })),
        );
        expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(200));
        const numbers = api.announced.map(({ head }) => ('eventSequence' in head ? head.eventSequence : 0));
        expect(numbers.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 60 }, (_, at) => eventSequence + 1 + at),
        );
        // Where another came before it was read, its words are told by that one alone.
        for (const { head, body } of api.announced) {
          if (body === '') continue;
          expect(JSON.parse(body).message.version).toBe((head as { eventSequence: number }).eventSequence);
        }
        const now = await read(bob!, message);
        expect(now.version).toBe(eventSequence + 60);
        expect(await changesOf(api, bob!, chat.id, eventSequence)).toEqual([
          {
            event: 'chat.message.updated',
            payload: { chatId: chat.id, message: now, eventSequence: eventSequence + 60 },
          },
        ]);
      });

      test('404 before it is stored, and of another chat', async () => {
        const elsewhere = await api.newGroup(ann!);
        const message = await say(ann!, elsewhere.id, 'elsewhere');
        for (const id of [newId(), message.id]) {
          const of = { chatId: chat.id, id };
          expect(await edit(ann!, of, { content: 'x' })).toMatchObject({
            ...{ status: 404, body: { code: 'message_not_found' } },
          });
          expect(await remove(ann!, of)).toMatchObject({ status: 404, body: { code: 'message_not_found' } });
        }
      });

      test('403: everyone, in a chat of more than 50, by who does not lead it', async () => {
        const others = await api.newUsers(50);
        const group = await api.newGroup(ann!, ...others);
        const message = await say(others[0]!, group.id, 'all of you');
        const everyone = { mentions: { userIds: [], everyone: true } };
        expect(await edit(others[0]!, message, everyone)).toMatchObject({
          ...{ status: 403, body: { code: 'not_allowed' } },
        });
        expect(await edit(eve!, message, everyone)).toMatchObject({
          ...{ status: 404, body: { code: 'chat_not_found' } },
        });
        expect((await edit(others[0]!, message, { content: 'some of you' })).status).toBe(200);
        const own = await say(ann!, group.id, 'all of you');
        expect((await edit(ann!, own, everyone)).body.mentions).toEqual({ userIds: [], everyone: true });

        const [member, admin] = [others[0]!, others[1]!];
        const send = (user: TestUser) =>
          api.call(user, 'POST', `/chats/${group.id}/messages`, { content: 'all of you', ...everyone });
        const make = (role: string) =>
          api.call(ann!, 'PATCH', `/chats/${group.id}/participants/${admin.id}`, { role });
        expect((await send(admin)).body.code).toBe('not_allowed');
        await make('admin');
        const byAdmin = await say(admin, group.id, { content: 'all of you', ...everyone });
        expect(byAdmin.mentions).toEqual({ userIds: [], everyone: true });
        const unread = async (user: TestUser) => (await chatOf(user, group.id)).membership.unreadMentionCount;
        expect([await unread(member), await unread(admin)]).toEqual([2, 1]);
        const plain = await say(admin, group.id, 'some of you');
        expect((await edit(admin, plain, everyone)).body.mentions).toEqual({ userIds: [], everyone: true });
        expect(await unread(member)).toBe(3);
        expect((await send(member)).body.code).toBe('not_allowed');
        await make('member');
        expect((await edit(admin, plain, everyone)).body.code).toBe('not_allowed');
        expect(await unread(member)).toBe(3);
      }, 20_000);

      test('403 once the window has closed, 409 once it is deleted; a deletion has no window', async () => {
        const message = await say(ann!, chat.id, 'old');
        const age = (seconds: number) =>
          api.database.query(
            `UPDATE messages SET sent_at = now() - make_interval(secs => $3::int)
            WHERE chat_id = $1::uuid AND id = $2::uuid`,
            [chat.id, message.id, seconds],
          );
        await age(3_590);
        expect((await edit(ann!, message, { content: 'older' })).status).toBe(200);
        await age(3_610);
        for (const body of [{ content: 'oldest' }, { content: 'older' }]) {
          expect(await edit(ann!, message, body)).toMatchObject({
            ...{ status: 403, body: { code: 'edit_window_closed' } },
          });
        }
        expect((await remove(ann!, message)).status).toBe(204);
        expect(await edit(ann!, message, { content: 'back' })).toMatchObject({
          ...{ status: 409, body: { code: 'message_deleted' } },
        });
      });
    });

    describe('a deletion', () => {
      beforeAll(async () => {
        chat = await api.newGroup(ann!, bob!, cy!);
      });

      test('204, and 204 again: its place stays, everybody is told once', async () => {
        const replyTo = (await say(bob!, chat.id, 'quoted')).id;
        const before = await say(ann!, chat.id, { ...everything, replyTo });
        await edit(ann!, before, { content: 'edited' });
        const { eventSequence } = await chatOf(ann!, chat.id);
        api.announced.length = 0;
        expect(await remove(ann!, before)).toMatchObject({ status: 204, body: undefined });
        const { id, chatId, senderId, messageType, status, sequence, sentAt, clientMessageId } = before;
        const tombstone = {
          ...{ id, chatId, senderId, content: '', messageType, status, sequence, sentAt, clientMessageId },
          ...{ deletedAt: instant, deletedBy: ann!.id, version: eventSequence + 1 },
        };
        const now = await read(bob!, before);
        expect(now).toEqual(tombstone as Message);
        const payload = { chatId, message: now, eventSequence: eventSequence + 1 };
        const announced = api.announced.splice(0);
        expect(announced.map(({ head, body }) => [head, JSON.parse(body)])).toEqual([
          [
            {
              ...{ version: 1, kind: 'change', chatId, eventSequence: eventSequence + 1 },
              ...{ event: 'chat.message.deleted', sequence },
            },
            payload,
          ],
        ]);
        expect((await remove(ann!, before)).status).toBe(204);
        expect(api.announced).toEqual([]);
        expect(await changesOf(api, bob!, chatId, eventSequence)).toEqual([
          { event: 'chat.message.deleted', payload },
        ]);
        // From the beginning: at its own number as it is now, and again at that of its deletion.
        const all = await changesOf(api, bob!, chatId, 0);
        expect(all.filter(({ payload: { message } }) => message?.id === id)).toEqual([
          { event: 'chat.message.new', payload: { chatId, message: now, eventSequence: expect.any(Number) } },
          { event: 'chat.message.deleted', payload },
        ]);
        expect((await chatOf(cy!, chatId)).lastMessage).toEqual(now);
        expect((await api.call(cy!, 'GET', '/chats?limit=1')).body.data[0].lastMessage).toEqual(now);
      });

      test('by two at once it is one', async () => {
        const message = await say(bob!, chat.id, 'twice');
        api.announced.length = 0;
        const answers = await Promise.all([remove(ann!, message), remove(bob!, message)]);
        expect(answers.map(({ status }) => status)).toEqual([204, 204]);
        expect(api.announced).toHaveLength(1);
      });

      test('and an edit at once: whichever is last, it is deleted', async () => {
        for (let turn = 0; turn < 10; turn += 1) {
          const message = await say(ann!, chat.id, `turn ${turn}`);
          const [edited, deleted] = await Promise.all([
            edit(ann!, message, { content: `edited ${turn}` }),
            remove(ann!, message),
          ]);
          expect([200, 409]).toContain(edited.status);
          expect(deleted.status).toBe(204);
          expect(await read(bob!, message)).toMatchObject({ content: '', deletedBy: ann!.id });
        }
      });

      test('deleted means gone: from every table, page, quote and change, whatever is sent or told again', async () => {
        const word = `gone-${crypto.randomUUID()}`;
        const clientMessageId = newId();
        const body = {
          ...{ content: `${word} said`, metadata: { note: word }, clientMessageId },
          mentions: { userIds: [bob!.id], everyone: true },
          replyTo: (await say(bob!, chat.id, 'what?')).id,
        };
        const { eventSequence } = await chatOf(ann!, chat.id);
        const message = await say(ann!, chat.id, body);
        const answer = await say(bob!, chat.id, { content: 'an answer', replyTo: message.id });
        expect(answer.replyTo).toMatchObject({ preview: `${word} said` });
        await edit(ann!, message, { content: `${word} edited` });
        // Not for nothing: they are found where they are.
        expect(await tableTexts(api.database, word)).toEqual(['messages']);
        await remove(cy!, message).then(({ status }) => expect(status).toBe(403));
        expect((await remove(ann!, message)).status).toBe(204);

        // Sent again, as after a lost answer, by whom it had been.
        for (const again of [body, { content: `${word} said`, clientMessageId }]) {
          await say(ann!, chat.id, again);
        }
        const last = await say(bob!, chat.id, 'the queue is drained');
        await api.stored(chat.id, last.sequence);
        expect(await tableTexts(api.database, word)).toEqual([]);
        const shown = [
          await chatOf(bob!, chat.id),
          await historyOf(bob!, chat.id),
          await read(bob!, message),
          await changesOf(api, bob!, chat.id, 0),
          await changesOf(api, bob!, chat.id, eventSequence),
          (await api.call(bob!, 'GET', '/chats')).body,
        ];
        expect(JSON.stringify(shown)).not.toContain(word);
        expect((await read(ann!, answer)).replyTo).toEqual({ messageId: message.id, deleted: true });
        const stored = await api.database.query(
          'SELECT body_hash, reply_to, mentions, metadata, attachments FROM messages WHERE id = $1::uuid',
          [message.id],
        );
        expect(stored.map((row) => Object.values(row))).toEqual([[null, null, null, null, null]]);
        const mentioned = await api.database.query(
          'SELECT FROM mentions WHERE chat_id = $1::uuid AND sequence = $2::bigint',
          [chat.id, message.sequence],
        );
        expect(mentioned).toEqual([]);
      });
    });

    test('what was committed is told, if only by its number, when it cannot be read any more', async () => {
      chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id, 'unread');
      const { eventSequence } = await chatOf(ann!, chat.id);
      api.announced.length = 0;
      // Everything but the functions that change.
      api.faults.database = (text) => text.includes('unnest($1::uuid[], $2::bigint[]) AS w');
      const { status, body } = await edit(ann!, message, { content: 'committed' });
      delete api.faults.database;
      expect([status, body.code]).toEqual([503, 'database_unavailable']);
      expect(api.announced.map(({ head, body: words }) => [head, words])).toEqual([
        [expect.objectContaining({ kind: 'change', eventSequence: eventSequence + 1 }), ''],
      ]);
      expect((await read(bob!, message)).content).toBe('committed');
    });

    test('503 while a gateway of before runs, which cannot load what it would make', async () => {
      chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id, 'as it was');
      const { loads } = api.known;
      api.known.loads = (event) => kindsOfBefore.some((one) => one === event);
      for (const answer of [await edit(ann!, message, { content: 'x' }), await remove(ann!, message)]) {
        expect(answer).toMatchObject({ status: 503, body: { code: 'not_ready' } });
      }
      api.known.loads = loads;
      expect(await read(bob!, message)).toEqual(message);
      expect((await remove(ann!, message)).status).toBe(204);
    });

    test('422: what is no edit, each with the field', async () => {
      chat = await api.newGroup(ann!, bob!);
      const message = await say(ann!, chat.id, 'as it was');
      const deep = (levels: number): object => (levels === 1 ? {} : { a: deep(levels - 1) });
      const rows: [body: unknown, path: string][] = [
        [[], ''],
        ['"text"', ''],
        [{ text: 'x' }, 'text'],
        [{ replyTo: message.id }, 'replyTo'],
        [{ clientMessageId: message.id }, 'clientMessageId'],
        [{ version: 1 }, 'version'],
        [{ content: null }, 'content'],
        [{ content: '' }, 'content'],
        [{ content: ' \n' }, 'content'],
        [{ content: 7 }, 'content'],
        [{ content: 'x'.repeat(8_001) }, 'content'],
        [{ content: 'a\u0000' }, 'content'],
        ['{"content":"\\ud800"}', 'content'],
        [{ mentions: [] }, 'mentions.userIds'],
        [{ mentions: null }, 'mentions'],
        [{ mentions: {} }, 'mentions.userIds'],
        [{ mentions: { userIds: ['x'] } }, 'mentions.userIds.0'],
        [{ mentions: { userIds: Array(51).fill(bob!.id) } }, 'mentions.userIds'],
        [{ mentions: { userIds: [], everyone: 1 } }, 'mentions.everyone'],
        [{ metadata: null }, 'metadata'],
        [{ metadata: [] }, 'metadata'],
        [{ metadata: 'x' }, 'metadata'],
        [{ metadata: { a: 'x'.repeat(4_097 - '{"a":""}'.length) } }, 'metadata'],
        [{ metadata: deep(17) }, 'metadata'],
        ['{"metadata":{"a":1e999}}', 'metadata'],
        [{ metadata: { a: '\u0000' } }, 'metadata.a'],
        ['{"metadata":{"a":"\\udc00"}}', 'metadata.a'],
      ];
      for (const [body, field] of rows) {
        const { status, body: problem } = await api.call(ann!, 'PATCH', path(message), body);
        expect([body, status, problem.code, problem.errors?.[0]?.path]).toEqual([
          ...[body, 422, 'validation_failed', field],
        ]);
      }
      for (const id of ['x', '0', '-1', String(2 ** 53)]) {
        const of = { chatId: chat.id, id };
        expect([(await edit(ann!, of, {})).status, (await remove(ann!, of)).status]).toEqual([422, 422]);
      }
      expect((await api.call(ann!, 'PATCH', path(message))).status).toBe(415);
      expect((await api.call(undefined, 'DELETE', path(message))).body.code).toBe('token_missing');
      expect(await read(bob!, message)).toEqual(message);

      const kept = '{"metadata":{"__proto__":{"a":1},"constructor":true}}';
      const { status, body } = await api.call(ann!, 'PATCH', path(message), kept);
      expect([status, JSON.stringify(body.metadata)]).toEqual([
        200,
        '{"__proto__":{"a":1},"constructor":true}',
      ]);
      const most = { a: 'x'.repeat(4_096 - '{"a":""}'.length) };
      expect((await edit(ann!, message, { metadata: most })).body.metadata).toEqual(most);
      expect((await edit(ann!, message, { metadata: deep(16) })).body.metadata).toEqual(deep(16));
    });
  });
}
