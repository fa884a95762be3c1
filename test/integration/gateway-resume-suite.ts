import { beforeAll, describe, expect, test } from 'bun:test';
import { kinds } from '../../src/changes/kinds.ts';
import { createReadChanges } from '../../src/changes/read-changes.ts';
import { createGetChanges } from '../../src/chat/get-changes.ts';
import { newId } from '../../src/shared/ids.ts';
import { eventually } from '../support/eventually.ts';
import {
  counted,
  createWorld,
  type GatewayBase,
  type TestClient,
  type Transport,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { openGateways } from '../support/open-gateways.ts';

/** What a socket with cursors is told, over as many gateways as there are ends; `transports` are the clients'. */
export function gatewayResumeSuite(
  name: string,
  base: GatewayBase,
  transports: readonly Transport[] = ['websocket'],
): void {
  describe(`gateway, resuming: ${name}`, () => {
    let rowsCounted = 0;
    const { database, queries } = counted({
      ...base.database,
      query(text, parameters) {
        if (text.startsWith('SELECT (\n  SELECT count(*)')) rowsCounted += 1;
        return base.database.query(text, parameters);
      },
    });
    const gateways = openGateways(base, { database, comparisonMs: 1_000 }, transports);
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
    });

    const withCursors = ({ token }: WorldUser, cursors: unknown) => ({
      auth: (give: (auth: object) => void) => give({ token, cursors }),
    });
    const open = (user: WorldUser, cursors: unknown): TestClient =>
      gateways.open(user.token, withCursors(user, cursors));
    const resume = (user: WorldUser, cursors: unknown): Promise<TestClient> =>
      gateways.connect(user.token, withCursors(user, cursors));
    async function refused(cursors: unknown) {
      const [ada] = await world.newUsers(1);
      const client = open(ada!, cursors);
      await eventually('it is refused', () => client.errors.length > 0);
      return client.errors[0].data;
    }
    const said = (client: TestClient) => client.seen.map(({ event }) => event);

    test('what was missed comes in order, own messages as saved, and then what is new', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const { eventSequence: cursor } = await world.send(ada!, chat.id, 'known');
      await world.send(ada!, chat.id, 'of ada');
      await world.send(bob!, chat.id, 'of bob');
      await world.add(ada!, chat.id, eve!);
      await world.send(eve!, chat.id, 'of eve');
      const bobs = await resume(bob!, { [chat.id]: cursor });
      expect(said(bobs)).toEqual([
        'chat.message.new',
        'chat.message.saved',
        'chat.participant.added',
        'chat.message.new',
      ]);
      expect(bobs.contents()).toEqual(['of ada', 'of bob', 'of eve']);
      expect(bobs.seen.map(({ payload }) => payload.eventSequence)).toEqual([
        cursor + 1,
        cursor + 2,
        cursor + 3,
        cursor + 4,
      ]);
      // And the same without a socket.
      const getChanges = createGetChanges(
        createReadChanges(kinds, { database, presence: base.ends.at(-1)!.presence }),
      );
      const { data, eventSequence } = await getChanges({ chatId: chat.id, userId: bob!.id, after: cursor });
      expect<unknown>(data).toEqual(bobs.seen);
      expect(eventSequence).toBe(cursor + 4);
      await world.send(ada!, chat.id, 'new');
      await eventually('it goes on', () => bobs.contents().includes('new'));
      expect(bobs.seen).toHaveLength(5);
    });

    test('nothing is missed or repeated between what is told again and what is live', async () => {
      const [ada, ...others] = await world.newUsers(9);
      const chat = await world.newGroup(ada!, ...others);
      let flowing = true;
      let sent = 0;
      const flow = (async () => {
        while (flowing) {
          await world.send(ada!, chat.id, `${sent}`, { silent: Math.random() < 0.2 });
          sent += 1;
          await Bun.sleep(1);
        }
      })();
      const seen = await Promise.all(
        others.map(async (user) => {
          const cursors = { [chat.id]: chat.eventSequence };
          const numbers: number[] = [];
          for (let times = 0; times < 6; times += 1) {
            const client = await resume(user, { ...cursors });
            const wanted = client.seen.length + 5;
            await eventually('it flows', () => client.seen.length >= wanted);
            client.close();
            for (const { payload } of client.seen) numbers.push(payload.eventSequence);
            cursors[chat.id] = numbers.at(-1)!;
          }
          return numbers;
        }),
      );
      flowing = false;
      await flow;
      for (const numbers of seen) {
        expect(numbers).toEqual(numbers.map((_, at) => chat.eventSequence + 1 + at));
      }
    }, 60_000);

    test('a chat that is not named comes whole; without cursors nothing does', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      await world.send(ada!, chat.id, 'before');
      const bobs = await resume(bob!, {});
      expect(said(bobs)).toEqual(['chat.created']);
      expect(bobs.seen[0]!.payload.chat).toMatchObject({
        id: chat.id,
        eventSequence: chat.eventSequence + 1,
        lastMessage: { content: 'before' },
        participantCount: 2,
      });
      const plain = await resume(bob!, undefined);
      expect(plain.seen).toEqual([]);
      await world.send(ada!, chat.id, 'after');
      await eventually('both are live', () => bobs.contents().length > 0 && plain.contents().length > 0);
      expect([bobs.contents(), plain.contents()]).toEqual([['after'], ['after']]);
    });

    test('a chat that was left comes as the removal, once', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      await world.send(ada!, chat.id, 'before');
      await world.remove(ada!, chat.id, bob!);
      await world.send(ada!, chat.id, 'after');
      const bobs = await resume(bob!, { [chat.id]: chat.eventSequence });
      const removal = {
        chatId: chat.id,
        participant: {
          userId: bob!.id,
          displayName: 'User 1',
          role: 'member',
          joinedAt: expect.any(String),
          online: true,
        },
        eventSequence: chat.eventSequence + 2,
      };
      expect(bobs.seen).toEqual([{ event: 'chat.participant.removed', payload: removal }]);
      const again = await resume(bob!, { [chat.id]: chat.eventSequence + 2 });
      expect(again.seen).toEqual([]);
    });

    test('who was removed and added again is told of both by what became of it', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      await world.remove(ada!, chat.id, bob!);
      await world.send(ada!, chat.id, 'while out');
      await world.add(ada!, chat.id, bob!);
      const bobs = await resume(bob!, { [chat.id]: chat.eventSequence });
      expect(said(bobs)).toEqual(['chat.message.new', 'chat.participant.added']);
    });

    test('a chat of others, and one that never was, tell alike', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const nowhere = newId();
      const eves = await resume(eve!, { [chat.id]: 1, [nowhere]: 1 });
      const told = (chatId: string) => ({ event: 'chat.sync.reset' as const, payload: { chatId } });
      expect(eves.seen.toSorted((a, b) => (a.payload.chatId < b.payload.chatId ? -1 : 1))).toEqual(
        [chat.id, nowhere].sort().map(told),
      );
      await world.send(ada!, chat.id, 'not for eve');
      const fence = await world.newGroup(eve!, ada!);
      await eventually('what comes later is here', () =>
        eves.seen.some(({ payload }) => payload.chat?.id === fence.id),
      );
      expect(eves.contents()).toEqual([]);
    });

    test('500 events are told; of more, the chat that missed most is reset', async () => {
      const [ada, bob] = await world.newUsers(2);
      const [one, other] = [await world.newGroup(ada!, bob!), await world.newGroup(ada!, bob!)];
      for (let at = 0; at < 500; at += 1) {
        await world.send(ada!, one.id, `${at}`);
        if (at < 3) await world.send(ada!, other.id, `other ${at}`);
      }
      const cursors = { [one.id]: one.eventSequence, [other.id]: other.eventSequence };
      const whole = await resume(bob!, { [one.id]: one.eventSequence, [other.id]: other.eventSequence + 3 });
      expect(whole.contents()).toEqual(Array.from({ length: 500 }, (_, at) => `${at}`));
      const part = await resume(bob!, cursors);
      expect(part.contents()).toEqual(['other 0', 'other 1', 'other 2']);
      const reset = { chatId: one.id, eventSequence: one.eventSequence + 500 };
      expect(part.seen.filter(({ event }) => event === 'chat.sync.reset')).toEqual([
        { event: 'chat.sync.reset', payload: reset },
      ]);
      await world.send(ada!, one.id, 'live');
      await eventually('both are live', () =>
        [whole, part].every((each) => each.contents().includes('live')),
      );
      expect(part.contents().at(-1)).toBe('live');
    }, 60_000);

    describe('of numbers that are no rows of their own any more', () => {
      /** Who was changed again and again: so many numbers, and one row. */
      const changeOften = (chat: { id: string }, user: WorldUser, times: number) =>
        base.database.query(
          `WITH numbered AS (
            UPDATE chats SET last_event_sequence = last_event_sequence + $3::int WHERE id = $1::uuid
            RETURNING last_event_sequence AS number
          ) UPDATE chat_participants SET changed_event_sequence = numbered.number
          FROM numbered WHERE chat_id = $1::uuid AND user_id = $2::uuid`,
          [chat.id, user.id, times],
        );
      const write = (chat: { id: string }, user: WorldUser, count: number) =>
        base.database.query(
          `WITH numbered AS (
            UPDATE chats SET last_event_sequence = last_event_sequence + $3::int, last_sequence = last_sequence + $3::int
            WHERE id = $1::uuid RETURNING last_sequence - $3::int AS sequence, last_event_sequence - $3::int AS number
          ) INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
          SELECT $1::uuid, sequence + at, gen_random_uuid(), $2::uuid, gen_random_uuid(), 'written', now(), number + at
          FROM numbered, generate_series(1, $3::int) AS at`,
          [chat.id, user.id, count],
        );
      const cursorsOf = (chats: readonly { id: string; eventSequence: number }[]) =>
        Object.fromEntries(chats.map(({ id, eventSequence }) => [id, eventSequence]));

      test('there may be any number: rows are counted', async () => {
        const [ada, bob] = await world.newUsers(2);
        const [one, other] = [await world.newGroup(ada!, bob!), await world.newGroup(ada!, bob!)];
        await changeOften(one, ada!, 700);
        await write(one, ada!, 10);
        await write(other, ada!, 489);
        const bobs = await resume(bob!, cursorsOf([one, other]));
        expect(new Set(said(bobs))).toEqual(new Set(['chat.message.new', 'chat.participant.added']));
        expect(bobs.seen).toHaveLength(500);
        await world.send(ada!, one.id, 'one more');
        const reset = await resume(bob!, cursorsOf([one, other]));
        expect(said(reset).filter((event) => event !== 'chat.message.new')).toEqual(['chat.sync.reset']);
        expect(reset.contents()).toHaveLength(489);
        await world.send(ada!, one.id, 'live');
        await eventually('both are live', () =>
          [bobs, reset].every((each) => each.contents().at(-1) === 'live'),
        );
      }, 60_000);

      test('in ten chats; more of them are reset without being read', async () => {
        const [ada, bob] = await world.newUsers(2);
        const chats = [];
        for (let at = 0; at < 12; at += 1) chats.push(await world.newGroup(ada!, bob!));
        for (const [at, chat] of chats.entries()) await changeOften(chat, ada!, 600 + at);
        const bobs = await resume(bob!, cursorsOf(chats));
        const told = (event: string) =>
          bobs.seen.filter((one) => one.event === event).map(({ payload }) => payload.chatId);
        expect(told('chat.participant.added').toSorted()).toEqual(
          chats
            .slice(0, 10)
            .map(({ id }) => id)
            .toSorted(),
        );
        expect(told('chat.sync.reset').toSorted()).toEqual(
          chats
            .slice(10)
            .map(({ id }) => id)
            .toSorted(),
        );
      });

      test('nothing is counted for who may not be told any more', async () => {
        const [ada, bob] = await world.newUsers(2);
        const [full, more] = [await world.newGroup(ada!, bob!), await world.newGroup(ada!, bob!)];
        await write(full, ada!, 500);
        await changeOften(more, ada!, 600);
        const before = rowsCounted;
        const bobs = await resume(bob!, cursorsOf([full, more]));
        expect(said(bobs).filter((event) => event === 'chat.sync.reset')).toHaveLength(1);
        expect(rowsCounted).toBe(before);
        await resume(bob!, cursorsOf([more]));
        expect(rowsCounted).toBe(before + 1);
      }, 60_000);
    });

    test('of more than 256 KiB the rest is reset', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const long = 'é'.repeat(8_000);
      for (let at = 0; at < 40; at += 1) await world.send(ada!, chat.id, `${at} ${long}`.slice(0, 8_000));
      const bobs = await resume(bob!, { [chat.id]: chat.eventSequence });
      // 16,000 bytes and some each.
      expect(bobs.contents()).toHaveLength(15);
      expect(bobs.seen.at(-1)).toEqual({
        event: 'chat.sync.reset',
        payload: { chatId: chat.id, eventSequence: chat.eventSequence + 40 },
      });
      await world.send(ada!, chat.id, 'live');
      await eventually('it is live', () => bobs.contents().at(-1) === 'live');
      expect(bobs.seen).toHaveLength(17);
    }, 60_000);

    test('of more than 500 chats that are not named the list is reset', async () => {
      const [ada, bob] = await world.newUsers(2);
      const ids = await world.insertGroups(Array.from({ length: 501 }, () => [ada!, bob!]));
      const bobs = await resume(bob!, {});
      expect(bobs.seen).toEqual([{ event: 'chat.sync.reset', payload: {} }]);
      const last = ids.at(-1)!;
      const others = await resume(bob!, { [last]: 1 });
      // So many of 500 as fit into 256 KiB.
      expect(others.seen.filter(({ event }) => event === 'chat.created').length).toBeGreaterThan(250);
      expect(others.seen.filter(({ event }) => event !== 'chat.created')).toEqual(bobs.seen);
      await world.send(ada!, last, 'live');
      await eventually('it is live', () => bobs.contents().length > 0);
    }, 60_000);

    test('a cursor beyond the head is reset to it', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const { eventSequence } = await world.send(ada!, chat.id, 'one');
      const bobs = await resume(bob!, { [chat.id]: eventSequence + 7 });
      expect(bobs.seen).toEqual([{ event: 'chat.sync.reset', payload: { chatId: chat.id, eventSequence } }]);
      await world.send(ada!, chat.id, 'two');
      await eventually('it is live', () => bobs.contents().length > 0);
      expect(bobs.contents()).toEqual(['two']);
    });

    test('a database restored to an older state is noticed by those who are connected', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const gone = await world.newGroup(ada!, eve!);
      for (let at = 0; at < 3; at += 1) await world.send(ada!, chat.id, `${at}`);
      const known = { [chat.id]: chat.eventSequence + 3 };
      const [bobs, eves] = [await resume(bob!, known), await resume(eve!, { [gone.id]: gone.eventSequence })];
      await base.database.query('DELETE FROM messages WHERE chat_id = $1 AND sequence > 1', [chat.id]);
      await base.database.query(
        'UPDATE chats SET last_sequence = 1, last_event_sequence = $2::bigint WHERE id = $1',
        [chat.id, chat.eventSequence + 1],
      );
      await base.database.query('DELETE FROM chats WHERE id = $1', [gone.id]);
      await eventually('both are told', () => bobs.seen.length > 0 && eves.seen.length > 0);
      const eventSequence = chat.eventSequence + 1;
      expect(bobs.seen).toEqual([{ event: 'chat.sync.reset', payload: { chatId: chat.id, eventSequence } }]);
      expect(eves.seen).toEqual([{ event: 'chat.sync.reset', payload: { chatId: gone.id } }]);
      await world.send(ada!, chat.id, 'another history');
      await eventually('it goes on', () => bobs.contents().includes('another history'));
    });

    test.each([
      ['no object', 7],
      ['null', null],
      ['a list', []],
      ['no id', { chat: 1 }],
      ['__proto__', JSON.parse('{"__proto__": 1}')],
      ['a negative number', { [newId()]: -1 }],
      ['half a number', { [newId()]: 1.5 }],
      ['a huge number', { [newId()]: 2 ** 53 }],
      ['text', { [newId()]: '1' }],
      ['an object', { [newId()]: { after: 1 } }],
    ])('cursors that are %s are refused', async (_, cursors) => {
      expect(await refused(cursors)).toEqual({
        code: 'validation_failed',
        detail: expect.stringContaining('auth.cursors'),
      });
    });

    test('of more than 1,000 cursors the last 1,000 are taken, and the list is reset', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const other = await world.newGroup(ada!, bob!);
      await world.send(ada!, chat.id, 'missed');
      const unknown = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, () => [newId(), 999_999]));
      const last = { ...unknown(998), [chat.id.toUpperCase()]: chat.eventSequence, [other.id]: 1 };
      const listReset = { event: 'chat.sync.reset' as const, payload: {} };
      for (const before of [0, 1, 500, 4_000]) {
        const client = await resume(bob!, { ...unknown(before), ...last });
        expect(client.contents()).toEqual(['missed']);
        // Whether of those that are not taken, or of those that are not there.
        expect(client.seen.filter(({ event }) => event === 'chat.sync.reset')).toEqual([listReset]);
        client.close();
      }
      // Named before the last 1,000 is not named; it is in the list, and what is new comes.
      const first = await resume(bob!, { [chat.id]: chat.eventSequence, ...unknown(1_000) });
      expect(first.seen).toEqual([listReset]);
      await world.send(ada!, chat.id, 'new');
      await eventually('it is live', () => first.contents().length > 0);
      expect(first.contents()).toEqual(['new']);
    }, 60_000);

    test('a client that knows 5,000 chats is let in, again and again, and told of the list', async () => {
      const [ada, bob] = await world.newUsers(2);
      const ids = await world.insertGroups(Array.from({ length: 5_000 }, () => [ada!, bob!]));
      const cursors = Object.fromEntries(ids.map((id) => [id, 1]));
      for (const round of ['one', 'two', 'three']) {
        const bobs = await resume(bob!, cursors);
        expect(bobs.disconnects).toEqual([]);
        expect(bobs.seen).toEqual([{ event: 'chat.sync.reset', payload: {} }]);
        for (const id of [ids[0]!, ids.at(-1)!]) await world.send(ada!, id, round);
        await eventually('it is live', () => bobs.contents().length === 2);
        bobs.close();
        for (const id of [ids[0]!, ids.at(-1)!]) cursors[id] = (cursors[id] ?? 0) + 1;
      }
    }, 60_000);

    test('up to 20 chats that are not there are named, of more the list is reset', async () => {
      const [bob] = await world.newUsers(1);
      const unknown = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, () => [newId(), 7]));
      const few = unknown(20);
      expect((await resume(bob!, few)).seen.map(({ payload }) => payload.chatId).sort()).toEqual(
        Object.keys(few).sort(),
      );
      const before = queries();
      const many = await resume(bob!, unknown(1_000));
      expect(many.seen).toEqual([{ event: 'chat.sync.reset', payload: {} }]);
      expect(queries() - before).toBeLessThan(20);
    });

    test('who was removed learns nothing of what came later, whatever number is tried', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      await world.remove(ada!, chat.id, bob!);
      const removedAt = chat.eventSequence + 1;
      const tried = [0, 1, -1, 2, 3, 5, 8, 100, 1_000_000].map((beyond) => Math.max(0, removedAt + beyond));
      const told = async () => {
        const answers: unknown[] = [];
        for (const cursor of tried) answers.push([cursor, (await resume(bob!, { [chat.id]: cursor })).seen]);
        return answers;
      };
      const atOnce = await told();
      for (let at = 0; at < 7; at += 1) await world.send(ada!, chat.id, `${at}`);
      expect(await told()).toEqual(atOnce);
    });

    test('who is added to a chat with messages gets the chat, and all messages numbered after the adding', async () => {
      const [ada, bob, ...added] = await world.newUsers(302);
      const chat = await world.newGroup(ada!, bob!);
      await world.send(ada!, chat.id, 'before');
      const sockets = await Promise.all(added.map((user) => resume(user, {})));
      const adas = await resume(ada!, { [chat.id]: chat.eventSequence + 1 });
      const before = queries();
      await world.add(ada!, chat.id, ...added);
      await world.send(ada!, chat.id, 'after');
      await eventually(
        'all are told',
        () => sockets.every((each) => each.contents().includes('after')),
        30_000,
      );
      expect(queries() - before).toBeLessThan(base.ends.length * 50);
      await eventually('ada is told', () => adas.contents().includes('after'));
      const events = adas.seen.filter(({ event }) => event === 'chat.participant.added');
      expect(events.map(({ payload }) => payload.participants.length)).toEqual([100, 100, 100]);
      for (const each of sockets) {
        expect(each.contents()).toEqual(['after']);
        expect(each.seen[0]?.event).toBe('chat.created');
        const numbers = each.seen.map(({ payload }) => payload.eventSequence ?? payload.chat.eventSequence);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      }
    }, 60_000);
  });
}
