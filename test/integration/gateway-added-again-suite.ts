import { beforeAll, describe, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { ConnectionLost } from '../../src/db/errors.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type GatewayBase,
  type TestClient,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { openGateways } from '../support/open-gateways.ts';

/** What statements that read this have in them. */
const part = {
  memberships: 'p.chat_id AS "chatId", c.head',
  state: 'IS NULL AS present',
  chat: 'WITH present AS',
  page: 'change.*',
};

interface Rule {
  text: string;
  /** How many of its kind were answered. */
  answered: number;
  /** Of which of them, counted from 1, something becomes after it was read. */
  at: number;
  /** Before it is read. */
  early?: boolean;
  then: () => Promise<void>;
}

/** Who goes and comes while the gateway reads: whatever it reads late, a connection is told each number once. */
export function gatewayAddedAgainSuite(name: string, base: GatewayBase): void {
  describe(`gateway, added again: ${name}`, () => {
    let rules: Rule[] = [];
    const database: Database = {
      ...base.database,
      async query<Row extends object>(text: string, parameters: readonly unknown[]): Promise<Row[]> {
        const keep = async (early: boolean) => {
          for (const rule of rules) {
            if (!text.includes(rule.text) || (rule.early ?? false) !== early) continue;
            rule.answered += 1;
            if (rule.answered === rule.at) await rule.then();
          }
        };
        await keep(true);
        const rows = await base.database.query<Row>(text, parameters);
        await keep(false);
        return rows;
      },
    };
    const gateways = openGateways(base, { database, comparisonMs: 600_000 });
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
    });

    function rule(text: string, at: number, then: () => Promise<void>, early = false): Rule {
      const made = { text, at, then, early, answered: 0 };
      rules.push(made);
      return made;
    }
    /** The next answer of this kind is held back until `open`. */
    function holdNext(text: string) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const held = rule(text, 1, () => promise);
      return { held, reached: () => eventually('it is read', () => held.answered > 0), open: resolve };
    }

    async function newChat() {
      rules = [];
      const [ada, bob, eve] = (await world.newUsers(3)) as [WorldUser, WorldUser, WorldUser];
      const { id: chatId } = await world.newGroup(ada, bob);
      await world.send(ada, chatId, 'before');
      // One at each gateway, where there are two.
      const bobs = [await gateways.connect(bob.token), await gateways.connect(bob.token)];
      const send = (content: string, silent = false) => world.send(ada, chatId, content, { silent });
      return {
        send,
        heard: (content: string) =>
          eventually('the others are told', () => bobs.every((one) => one.contents().includes(content))),
        connect: () => gateways.connect(eve.token),
        resume: () => gateways.open(eve.token, { auth: { token: eve.token, cursors: {} } }),
        add: () => world.addSilently(ada, chatId, eve),
        remove: () => world.remove(ada, chatId, eve, { silent: true }),
        look: () => {
          const head = { version: 1, kind: 'membership', chatId, eventSequence: 1, userId: eve.id } as const;
          return base.notifier.publish([{ topic: `user:${eve.id}`, head, body: '' }]);
        },
        async toldAll(eves: TestClient) {
          await send('last');
          await eventually('she is told the last', () => eves.contents().includes('last'));
          const told = eves.seen.filter(({ event }) => event !== 'chat.created');
          const numbers = told.map(({ payload }) => payload.eventSequence);
          expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
          expect(eves.disconnects).toEqual([]);
          return eves.seen.map(({ event, payload }) => payload.message?.content ?? event);
        },
      };
    }

    test('a removal that was read before the adding, and comes after what followed that, takes nobody out', async () => {
      const { add, remove, look, send, heard, connect, toldAll } = await newChat();
      await add();
      // So that her adding, which the rooms are told now, lets nobody look for her later.
      await send('added');
      await heard('added');
      const eves = await connect();
      const state = holdNext(part.state);
      await remove();
      await look();
      await state.reached();
      await add();
      for (const content of ['one', 'two']) await send(content);
      await eventually('she is told', () => eves.contents().includes('two'));
      state.open();
      await look();
      expect(await toldAll(eves)).toEqual(['chat.participant.added', 'one', 'two', 'last']);
    });

    test('who is removed and added again on the way in is told of each, and of nothing twice', async () => {
      const { add, remove, look, send, heard, connect, toldAll } = await newChat();
      const eves = await connect();
      const page = holdNext(part.page);
      const states = rule(part.state, 0, async () => {});
      await add();
      await send('one', true);
      await look();
      await page.reached();
      await remove();
      await send('not hers');
      await heard('not hers');
      const before = states.answered;
      await look();
      await eventually('it is seen that she is out', () => states.answered > before);
      const out = states.answered;
      await add();
      await send('two');
      await heard('two');
      await eventually('it is seen that she is in', () => states.answered > out);
      page.open();
      expect(await toldAll(eves)).toEqual([
        'chat.created',
        'one',
        'chat.participant.removed',
        'chat.created',
        'two',
        'last',
      ]);
    });

    test('who is removed before the chat is read, and added again after that, is in', async () => {
      const { add, remove, look, send, heard, connect, toldAll } = await newChat();
      const eves = await connect();
      const [state, chat] = [holdNext(part.state), holdNext(part.chat)];
      await add();
      await look();
      await state.reached();
      await remove();
      state.open();
      await chat.reached();
      const before = state.held.answered;
      await add();
      await send('one');
      await heard('one');
      await eventually('it is seen that she is in', () => state.held.answered > before);
      chat.open();
      expect(await toldAll(eves)).toEqual(['chat.created', 'one', 'last']);
    });

    test('who is removed and added again after the chat was read is told what was said until then', async () => {
      const { add, remove, look, send, heard, connect, toldAll } = await newChat();
      const eves = await connect();
      const late = Promise.withResolvers<void>();
      // Read to decide, and once more when her socket holds the chat, beside the chat itself.
      const state = rule(part.state, 2, () => late.promise, true);
      const chat = rule(part.chat, 0, async () => {});
      await add();
      await look();
      await eventually('the chat is read', () => chat.answered > 0 && state.answered > 1);
      await send('between', true);
      await remove();
      await add();
      await send('after');
      await heard('after');
      late.resolve();
      const told = await toldAll(eves);
      expect(told.filter((what) => ['between', 'after', 'last'].includes(what))).toEqual([
        'between',
        'after',
        'last',
      ]);
      expect(told[0]).toBe('chat.created');
    });

    test('the same of one who comes back', async () => {
      const { add, remove, send, heard, resume, toldAll } = await newChat();
      const [memberships, chat] = [holdNext(part.memberships), holdNext(part.chat)];
      await add();
      const eves = resume();
      await memberships.reached();
      await remove();
      memberships.open();
      await chat.reached();
      await add();
      await send('one');
      await heard('one');
      chat.open();
      expect(await toldAll(eves)).toEqual(['chat.created', 'one', 'last']);
    });

    test('an adding that was read before the removal lets nothing of before be told again', async () => {
      const { add, remove, look, send, heard, connect, toldAll } = await newChat();
      await add();
      await send('added');
      await heard('added');
      const eves = await connect();
      const state = holdNext(part.state);
      await look();
      await state.reached();
      await send('one');
      await remove();
      await send('not hers');
      await heard('not hers');
      await add();
      state.open();
      expect(await toldAll(eves)).toEqual(['one', 'chat.participant.removed', 'chat.created', 'last']);
    });

    test('where PostgreSQL goes between two pages, it goes on where it was', async () => {
      const { add, look, send, connect, toldAll } = await newChat();
      const eves = await connect();
      await add();
      const contents = Array.from({ length: 150 }, (_, at) => `${at}`);
      for (const content of contents) await send(content, true);
      rule(part.page, 2, async () => {
        throw new ConnectionLost('cut');
      });
      await look();
      expect(await toldAll(eves)).toEqual(['chat.created', ...contents, 'last']);
    });
  });
}
