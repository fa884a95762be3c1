import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { storeMessages } from '../../src/db/queries/store-messages.ts';
import type { Chat, Message } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { kindsOfBefore } from '../../src/shared/ports/registry.ts';
import { changesOf, tableTexts } from '../support/changes-of.ts';
import type { Answer, ChatApi, TestUser } from '../support/chat-api.ts';
import { eventually } from '../support/eventually.ts';

/** What a group shows, who may post in it, and its end, over whichever adapters; the caller opens them and closes what it opened. */
export function chatSettingsSuite(name: string, open: () => Promise<ChatApi>): void {
  describe(`chats that change over ${name}`, () => {
    let api: ChatApi;
    let [ann, bob, cy, eve]: TestUser[] = [];
    beforeAll(async () => {
      api = await open();
      [ann, bob, cy, eve] = await api.newUsers(4);
    }, 60_000);
    afterAll(() => api.close());

    const update = (user: TestUser, chat: Chat, body: unknown) =>
      api.call(user, 'PATCH', `/chats/${chat.id}`, body);
    const end = (user: TestUser, chat: Chat) => api.call(user, 'DELETE', `/chats/${chat.id}`);
    const read = async (user: TestUser, chat: Chat): Promise<Chat> =>
      (await api.call(user, 'GET', `/chats/${chat.id}`)).body;
    const said = ({ status, body }: Answer) => (status < 400 ? status : `${status} ${body.code}`);
    const promote = (chat: Chat, user: TestUser, role = 'admin') =>
      api.call(ann, 'PATCH', `/chats/${chat.id}/participants/${user.id}`, { role });
    const newDirect = async (): Promise<Chat> =>
      (await api.call(ann, 'POST', '/chats', { participantUserIds: [bob!.id] })).body;
    async function fateOf(id: string): Promise<string> {
      let fate: string | undefined;
      await eventually('it is stored or refused', async () => {
        const [row] = await api.database.query<{ stored: boolean; reason: string | null; waits: boolean }>(
          `SELECT EXISTS (SELECT FROM messages WHERE id = $1::uuid) AS stored,
            EXISTS (SELECT FROM queued_messages WHERE id = $1::text) AS waits,
            (SELECT reason FROM dead_letters WHERE id = $1::text) AS reason`,
          [id],
        );
        if (row?.stored) fate = 'stored';
        else if (row && !row.waits) fate = row.reason ?? 'nowhere';
        return fate !== undefined;
      });
      return fate ?? '';
    }

    describe('what a group shows', () => {
      const picture = 'https://example.com/a.png?size=2#x';

      test('200: what is named is replaced, everybody is told what the chat is now, null takes away', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        await promote(chat, bob!);
        const { eventSequence } = await read(cy!, chat);
        api.announced.length = 0;
        const metadata = { b: 1, a: [null, { __proto__: 2 }] };
        const { status, body } = await update(bob!, chat, { name: 'Lunch', avatarUrl: picture, metadata });
        expect([status, body]).toEqual([200, await read(bob!, chat)]);
        const shown = {
          ...{ id: chat.id, isGroup: true, name: 'Lunch', avatarUrl: picture, posting: 'all' },
          metadata: JSON.parse(JSON.stringify(metadata)),
        };
        expect(body).toMatchObject({ ...shown, eventSequence: eventSequence + 1 });
        expect(JSON.stringify(body.metadata)).toBe(JSON.stringify(metadata));
        const head = { event: 'chat.updated', eventSequence: eventSequence + 1 };
        expect(api.announced.splice(0)).toMatchObject([{ topic: `chat:${chat.id}`, head, body: '' }]);
        expect(await changesOf(api, cy!, chat.id, eventSequence)).toEqual([
          {
            event: 'chat.updated',
            payload: { chatId: chat.id, chat: shown, eventSequence: eventSequence + 1 },
          },
        ]);

        for (const same of [{}, { name: 'Lunch' }, { posting: 'all' }, { metadata, avatarUrl: picture }]) {
          expect(said(await update(bob!, chat, same))).toBe(200);
        }
        expect(api.announced).toEqual([]);
        expect((await read(ann!, chat)).eventSequence).toBe(eventSequence + 1);

        await update(ann!, chat, { posting: 'admins' });
        const none = { name: null, avatarUrl: null, metadata: null };
        const { body: now } = await update(ann!, chat, none);
        expect(now).toMatchObject({ ...none, posting: 'admins', eventSequence: eventSequence + 3 });
        // However often it changed, it is one thing.
        expect((await changesOf(api, cy!, chat.id, eventSequence)).map(({ event }) => event)).toEqual([
          'chat.updated',
        ]);
      });

      test('by its owners and admins, in a group', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const direct = await newDirect();
        expect(said(await update(bob!, chat, { name: 'x' }))).toBe('403 not_allowed');
        expect(said(await update(bob!, chat, {}))).toBe('403 not_allowed');
        expect(said(await update(eve!, chat, { name: 'x' }))).toBe('404 chat_not_found');
        expect(said(await update(ann!, direct, { name: 'x' }))).toBe('409 chat_is_direct');
        expect(said(await end(ann!, direct))).toBe('409 chat_is_direct');
        expect((await read(ann!, chat)).eventSequence).toBe(chat.eventSequence);
      });

      test('two that change it at once: every number once', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await Promise.all(Array.from({ length: 20 }, (_, at) => update(ann!, chat, { name: `name ${at}` })));
        expect((await read(ann!, chat)).eventSequence).toBe(chat.eventSequence + 20);
      });

      test('422: each with the field', async () => {
        const chat = await api.newGroup(ann!);
        const rows: [body: unknown, path: string][] = [
          [[], ''],
          [{ isGroup: false }, 'isGroup'],
          ...['', ' ', 7, 'a\u202eb', 'x'.repeat(201)].map((one): [object, string] => [
            { name: one },
            'name',
          ]),
          ...[
            ...[
              '',
              'x',
              'example.com/a.png',
              '//example.com',
              'ftp://example.com/a',
              'data:image/png;base64,AA',
            ],
            ...[
              'javascript:alert(1)',
              'https://',
              'https://a b',
              'https://example.com/\n',
              ' https://example.com',
            ],
            ...[
              'https://example.com/"><script>',
              'https://example.com/ä',
              'ht\ntps://example.com',
              'https://[x',
              7,
              {},
            ],
            ...['https://example.com:99999/', `https://example.com/${'x'.repeat(2_029)}`],
          ].map((one): [object, string] => [{ avatarUrl: one }, 'avatarUrl']),
          ...['x', [], 1, { a: 'x'.repeat(4_096) }].map((one): [object, string] => [
            { metadata: one },
            'metadata',
          ]),
          ...['some', null, true, 'Admins'].map((one): [object, string] => [{ posting: one }, 'posting']),
        ];
        for (const [body, field] of rows) {
          const { status, body: problem } = await update(ann!, chat, body);
          expect([body, status, problem.errors?.[0]?.path]).toEqual([body, 422, field]);
        }
        expect(await read(ann!, chat)).toEqual(chat);
        const longest = `https://example.com/${'x'.repeat(2_028)}`;
        expect((await update(ann!, chat, { avatarUrl: longest })).body.avatarUrl).toBe(longest);
      });

      test('503 not_ready, for the end too, until every live process can load it; roles wait for nobody', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const old = [...kindsOfBefore, 'chat.message.updated', 'chat.message.deleted'];
        api.known.loads = (event) => old.includes(event);
        expect(said(await update(ann!, chat, { posting: 'admins' }))).toBe('503 not_ready');
        expect(said(await end(ann!, chat))).toBe('503 not_ready');
        expect(said(await promote(chat, bob!))).toBe(200);
        api.known.loads = () => true;
        expect(said(await update(ann!, chat, { posting: 'admins' }))).toBe(200);
        expect(said(await end(ann!, chat))).toBe(204);
      });
    });

    describe('posting by admins', () => {
      test('403 for what members send and edit, not for what they delete; admins go on', async () => {
        const chat = await api.newGroup(ann!, bob!, cy!);
        await promote(chat, bob!);
        const { body: own } = await api.send(cy!, chat.id, 'before');
        await api.stored(chat.id, 1);
        await update(bob!, chat, { posting: 'admins' });
        await api.facts.restore([`participant:${chat.id}:${cy!.id}`]);
        const path = `/chats/${chat.id}/messages/${own.brokerMessageId}`;
        expect(said(await api.send(cy!, chat.id, 'after'))).toBe('403 not_allowed');
        expect(said(await api.call(cy!, 'PATCH', path, { content: 'after' }))).toBe('403 not_allowed');
        expect(said(await api.send(eve!, chat.id, 'after'))).toBe('404 chat_not_found');
        const answers = [
          await api.send(ann!, chat.id, 'of the owner'),
          await api.send(bob!, chat.id, 'of the admin'),
        ];
        expect(answers.map(said)).toEqual([202, 202]);
        expect(await Promise.all(answers.map(({ body }) => fateOf(body.brokerMessageId)))).toEqual([
          ...['stored', 'stored'],
        ]);

        // An admin who is one no longer may not from that moment on, whatever is known of them.
        await promote(chat, bob!, 'member');
        expect(said(await api.send(bob!, chat.id, 'of one who was'))).toBe('403 not_allowed');
        await promote(chat, bob!, 'owner');
        expect(said(await api.send(bob!, chat.id, 'of one who is'))).toBe(202);

        expect(said(await api.call(cy!, 'DELETE', path))).toBe(204);
        await update(ann!, chat, { posting: 'all' });
        expect(said(await api.send(cy!, chat.id, 'again'))).toBe(202);
      });

      test('what was accepted before everybody knew is refused, plain and with extras', async () => {
        const chat = await api.newGroup(ann!, bob!);
        await api.send(bob!, chat.id, 'before');
        await api.stored(chat.id, 1);
        await update(ann!, chat, { posting: 'admins' });
        const extras = { content: 'late', metadata: { a: 1 } };
        const late = [
          await api.send(bob!, chat.id, 'late'),
          await api.call(bob!, 'POST', `/chats/${chat.id}/messages`, extras),
        ];
        expect(late.map(said)).toEqual([202, 202]);
        for (const { body } of late) expect(await fateOf(body.brokerMessageId)).toBe('not_allowed');
        expect((await read(ann!, chat)).lastSequence).toBe(1);
      });

      test('what was refused and is sent again has the place of the send that is stored', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const content = 'refused at first';
        await api.send(bob!, chat.id, 'before');
        await api.stored(chat.id, 1);
        await update(ann!, chat, { posting: 'admins' });
        const clientMessageId = newId();
        const { status, body } = await api.send(bob!, chat.id, content, clientMessageId);
        expect(status).toBe(202);
        expect(await fateOf(body.brokerMessageId)).toBe('not_allowed');
        await update(ann!, chat, { posting: 'all' });
        await api.send(bob!, chat.id, 'in between');
        await api.stored(chat.id, 2);
        const again = await api.send(bob!, chat.id, content, clientMessageId);
        expect(again).toMatchObject({ status: 202, body: { brokerMessageId: body.brokerMessageId } });
        await api.stored(chat.id, 3);
        const page: Message[] = (await api.call(ann!, 'GET', `/chats/${chat.id}/messages`)).body.data;
        expect(page.map((one) => one.content)).toEqual(['before', 'in between', content]);
        // It says when it was sent the second time.
        const sentAts = page.map(({ sentAt }) => sentAt);
        expect(sentAts).toEqual(sentAts.toSorted());
      });

      test('switched while messages are on their way: each is stored, or refused', async () => {
        const chat = await api.newGroup(ann!, bob!);
        const sends: Promise<Answer>[] = [];
        for (let round = 0; round < 8; round += 1) {
          sends.push(...Array.from({ length: 5 }, (_, at) => api.send(bob!, chat.id, `${round} ${at}`)));
          await update(ann!, chat, { posting: round % 2 ? 'all' : 'admins' });
          await api.facts.restore([`participant:${chat.id}:${bob!.id}`]);
        }
        const answers = await Promise.all(sends);
        expect(new Set(answers.map(said))).toEqual(new Set([202, '403 not_allowed']));
        const accepted = answers.flatMap(({ status, body }) => (status === 202 ? body.brokerMessageId : []));
        const fates = await Promise.all(accepted.map(fateOf));
        expect(fates.filter((fate) => fate !== 'stored' && fate !== 'not_allowed')).toEqual([]);
        expect((await read(ann!, chat)).lastSequence).toBe(fates.filter((fate) => fate === 'stored').length);
      });
    });

    describe('the end of a group', () => {
      const purged = (chat: Chat) =>
        eventually(
          'it is purged',
          async () =>
            (await api.database.query('SELECT FROM chats_to_purge WHERE chat_id = $1::uuid', [chat.id]))
              .length === 0,
          10_000,
        );

      test('204 by an owner: nobody is in it, what is on its way is refused, and nothing of it is left', async () => {
        const word = `secret-${newId()}`;
        const chat = await api.newGroup(ann!, bob!, cy!);
        await update(ann!, chat, {
          ...{ name: word, avatarUrl: `https://example.com/${word}`, metadata: { [word]: 1 } },
        });
        await promote(chat, bob!);
        for (const [user, outcome] of [
          [bob!, '403 not_owner'],
          [cy!, '403 not_owner'],
          [eve!, '404 chat_not_found'],
        ] as const) {
          expect(said(await end(user, chat))).toBe(outcome);
        }
        // More than a batch of the purge.
        await storeMessages(
          api.database,
          Array.from({ length: 1_200 }, (_, at) => {
            const ids = { chatId: chat.id, senderId: bob!.id, clientMessageId: newId() };
            const brokerMessageId = deriveBrokerMessageId(ids.chatId, ids.senderId, ids.clientMessageId);
            const extras =
              at % 100
                ? {}
                : { mentions: { userIds: [cy!.id], everyone: true as const }, metadata: { word } };
            return {
              ...ids,
              brokerMessageId,
              content: `${word} ${at}`,
              sentAt: new Date().toISOString(),
              ...extras,
            };
          }),
        );
        const first = (await api.call(bob!, 'GET', `/chats/${chat.id}/messages?limit=1`)).body.data[0];
        expect(
          (await api.call(bob!, 'PATCH', `/chats/${chat.id}/messages/${first.id}`, { content: word })).status,
        ).toBe(200);
        // More reactions to one message than a batch of the purge, and to many a few.
        await api.database.query(
          `INSERT INTO reactions (chat_id, user_id, sequence, key, reacted_at)
          SELECT $1::uuid, gen_random_uuid(), CASE WHEN n > 300 THEN 7 ELSE n END, '👍', now() FROM generate_series(1, 1500) AS n`,
          [chat.id],
        );
        const page: Message[] = (await api.call(bob!, 'GET', `/chats/${chat.id}/messages?limit=12`)).body
          .data;
        const change = (method: string, { id }: Message, path = '', body?: object) =>
          api.call(bob!, method, `/chats/${chat.id}/messages/${id}${path}`, body);
        const type = (typing: boolean) => api.call(cy!, 'PUT', `/chats/${chat.id}/typing`, { typing });
        /** Of all kinds, to others of the messages each time. */
        const changes = (from: number) =>
          page
            .slice(from, from + 4)
            .flatMap((one) => [
              change('PATCH', one, '', { content: `${word} edited`, mentions: { userIds: [cy!.id] } }),
              ...['👍', '🎉'].map((key) => change('PUT', one, `/reactions/${encodeURIComponent(key)}`)),
              type(from === 4),
            ]);
        const { eventSequence } = await read(ann!, chat);

        const changing = changes(0);
        const before = [1, 2, 3].map((at) => api.send(cy!, chat.id, `${word} before ${at}`));
        api.announced.length = 0;
        const ending = end(ann!, chat);
        const beside = [1, 2, 3].map((at) => api.send(bob!, chat.id, `${word} beside ${at}`));
        changing.push(...changes(4));
        expect(said(await ending)).toBe(204);
        const changed = new Set((await Promise.all(changing)).map(said));
        expect(changed.isSubsetOf(new Set([200, 204, '404 chat_not_found']))).toBe(true);
        const told = api.announced.splice(0);
        const refused = await Promise.all(changes(8));
        expect(new Set(refused.map(said))).toEqual(new Set(['404 chat_not_found']));
        const after = await api.send(cy!, chat.id, `${word} after`);
        expect(said(after)).toBe('404 chat_not_found');
        for (const { status, body } of await Promise.all([...before, ...beside])) {
          if (status === 202) expect(['stored', 'nowhere']).toContain(await fateOf(body.brokerMessageId));
          else expect([status, body.code]).toEqual([404, 'chat_not_found']);
        }

        expect(api.announced).toEqual([]);
        const ends = told.filter(({ head }) => 'event' in head && head.event === 'chat.participant.removed');
        expect(ends).toMatchObject([{ topic: `chat:${chat.id}`, body: '' }]);
        const numbers = told.flatMap(({ head }) => ('eventSequence' in head ? head.eventSequence : []));
        const rows = await api.database.query<{ number: number; by: string }>(
          `SELECT changed_event_sequence AS number, removed_by AS by FROM chat_participants
          WHERE chat_id = $1::uuid AND left_at IS NOT NULL`,
          [chat.id],
        );
        expect(rows).toHaveLength(3);
        expect(new Set(rows.map(({ by }) => by))).toEqual(new Set([ann!.id]));
        expect(new Set(rows.map(({ number }) => number)).size).toBe(1);
        expect(rows[0]!.number).toBeGreaterThan(eventSequence);
        expect(Math.max(...numbers)).toBe(rows[0]!.number);

        for (const user of [ann!, bob!, cy!]) {
          const list = (await api.call(user, 'GET', '/chats?limit=100')).body.data;
          expect(list.map(({ id }: Chat) => id)).not.toContain(chat.id);
        }
        const routes: [method: string, path: string, body?: object][] = [
          ...['', '/messages', `/messages/${first.id}`, '/changes?after=0', '/participants'].map(
            (path): [string, string] => ['GET', path],
          ),
          ...[['DELETE', ''] as [string, string], ['DELETE', `/messages/${first.id}`] as [string, string]],
          ['PATCH', '', { name: 'x' }],
          ['PATCH', `/messages/${first.id}`, { content: 'x' }],
          ['PUT', '/read', { sequence: 1 }],
          ['POST', '/participants', { userIds: [eve!.id] }],
        ];
        for (const [method, path, body] of routes) {
          expect([
            method,
            path,
            said(await api.call(ann!, method, `/chats/${chat.id}${path}`, body)),
          ]).toEqual([...[method, path, '404 chat_not_found']]);
        }
        await purged(chat);
        expect(await tableTexts(api.database, word)).toEqual([]);
        expect(await tableTexts(api.database, chat.id)).toEqual(['chat_participants', 'chats']);
      }, 20_000);

      test('one that cannot be purged keeps no other one waiting', async () => {
        const [stuck, next] = [await api.newGroup(ann!), await api.newGroup(ann!)];
        await api.send(ann!, stuck.id, 'stays');
        await api.stored(stuck.id, 1);
        for (const text of [
          `CREATE FUNCTION refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$`,
          `CREATE TRIGGER refuse_deletion BEFORE DELETE ON messages FOR EACH ROW WHEN (OLD.chat_id = '${stuck.id}')
          EXECUTE FUNCTION refuse_deletion()`,
        ]) {
          await api.database.query(text, []);
        }
        try {
          for (const chat of [stuck, next]) expect(said(await end(ann!, chat))).toBe(204);
          await purged(next);
          expect(
            await api.database.query('SELECT FROM messages WHERE chat_id = $1::uuid', [stuck.id]),
          ).toHaveLength(1);
        } finally {
          await api.database.query('DROP FUNCTION refuse_deletion CASCADE', []);
        }
      }, 20_000);
    });

    describe('as many as may be in a chat', () => {
      test('409 chat_full beyond, whoever adds; who is in it already takes no place', async () => {
        const many = await api.newUsers(110);
        expect(
          said(await api.call(ann!, 'POST', '/chats', { participantUserIds: many.map(({ id }) => id) })),
        ).toBe('409 chat_full');
        const group = await api.newGroup(ann!, ...many.slice(0, 107));
        const add = (...users: (TestUser | undefined)[]) =>
          api.call(ann!, 'POST', `/chats/${group.id}/participants`, {
            userIds: users.map((user) => user!.id),
          });
        expect(said(await add(many[107], many[108], many[109]))).toBe('409 chat_full');
        // Of those who come at once as many as there is room for.
        const answers = await Promise.all([many[107], many[108], many[109]].map((user) => add(user)));
        expect(answers.map(said).toSorted()).toEqual([200, 200, '409 chat_full']);
        expect(said(await add(many[0], many[1]))).toBe(200);
        expect((await read(ann!, group)).participantCount).toBe(110);
        await api.call(ann!, 'DELETE', `/chats/${group.id}/participants/${many[0]!.id}`);
        expect(said(await add(eve))).toBe(200);
      });
    });
  });
}
