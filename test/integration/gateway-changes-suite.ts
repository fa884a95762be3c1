import { beforeAll, describe, expect, test } from 'bun:test';
import { changeNotification } from '../../src/changes/announce.ts';
import { changedMessage } from '../../src/changes/changed-message.ts';
import { readHistory, readStored } from '../../src/db/queries/history.ts';
import { storeMessages } from '../../src/db/queries/store-messages.ts';
import type { Message, MessagePage, ReactionsEvent } from '../../src/shared/contract.ts';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createTellStored, type Stored } from '../../src/worker/tell-stored.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type GatewayBase,
  type TestClient,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { openGateways } from '../support/open-gateways.ts';

/** What sockets are told of messages that are edited and deleted, over as many gateways as there are ends. */
export function gatewayChangesSuite(name: string, base: GatewayBase): void {
  describe(`gateway, changed messages: ${name}`, () => {
    const { database } = base;
    const gateways = openGateways(base, { comparisonMs: 1_000 });
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
    });

    const connect = ({ token }: WorldUser, cursors?: object): Promise<TestClient> =>
      gateways.connect(token, { auth: (give: (auth: object) => void) => give({ token, cursors }) });
    const told = (client: TestClient) =>
      client.seen.map(({ event, payload }) => [
        event.slice('chat.message.'.length),
        payload.message?.content,
      ]);

    async function stateOf(chatId: string, userId: string, after = 0): Promise<Message[]> {
      const bytes = await readHistory(database, chatId, userId, { after }, 100);
      const { data, page } = JSON.parse(new TextDecoder().decode(bytes)) as MessagePage;
      return page.hasAfter ? [...data, ...(await stateOf(chatId, userId, data.at(-1)!.sequence))] : data;
    }

    /** As the contract tells a client to keep them: by id, the higher version wins. */
    function keep(messages: Map<string, Message>, seen: TestClient['seen']): void {
      for (const { payload } of seen) {
        const { message } = payload as { message?: Message };
        const known = message && messages.get(message.id);
        if (message && (message.version ?? 0) >= (known?.version ?? 0)) messages.set(message.id, message);
      }
    }
    const inOrder = (messages: ReadonlyMap<string, Message>) =>
      [...messages.values()].sort((a, b) => a.sequence - b.sequence);

    test('an edit and a deletion are told to everybody, whoever made them too, in the order of their numbers', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const [adas, bobs] = [await connect(ada!), await connect(bob!)];
      const { message, eventSequence } = await world.send(ada!, chat.id, 'first');
      const edited = await world.edit(ada!, message, 'second');
      await world.delete(ada!, message);
      for (const [client, own] of [[adas, true] as const, [bobs, false] as const]) {
        await eventually('all is told', () => client.seen.length === 3);
        expect(told(client)).toEqual([
          [own ? 'saved' : 'new', 'first'],
          ['updated', 'second'],
          ['deleted', ''],
        ]);
        expect(client.seen.map(({ payload }) => payload.eventSequence)).toEqual([
          ...[eventSequence, eventSequence + 1, eventSequence + 2],
        ]);
        expect(client.seen[1]?.payload.message).toEqual(edited);
        expect([client.seen[2]?.payload.message]).toEqual(await stateOf(chat.id, bob!.id));
      }
    });

    test('what an api announces before the worker did is told after it', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const bobs = await connect(bob!);
      const { message, notification } = await world.send(ada!, chat.id, 'swapped', { silent: true });
      const edited = await world.edit(ada!, message, 'edited', { silent: true });
      const update = changedMessage.tell({ chatId: chat.id, eventSequence: edited.version! }, [edited]);
      const heard = await world.send(bob!, chat.id, 'end', { silent: true });
      await world.notifier.publish([heard.notification, changeNotification(update), notification]);
      await eventually('all is told', () => bobs.seen.length === 3);
      expect(told(bobs)).toEqual([
        ['new', 'swapped'],
        ['updated', 'edited'],
        ['saved', 'end'],
      ]);
    });

    test('an original that comes late brings no old words, nor does a worker that died before it told', async () => {
      for (const change of ['edit', 'delete'] as const) {
        const [ada, bob] = await world.newUsers(2);
        const chat = await world.newGroup(ada!, bob!);
        const bobs = await connect(bob!);
        const late = await world.send(ada!, chat.id, 'old words', { silent: true });
        if (change === 'edit') await world.edit(ada!, late.message, 'new words');
        else await world.delete(ada!, late.message);
        await eventually('it is read', () => bobs.seen.length === 2);

        const { id, senderId, clientMessageId, content, sentAt } = late.message;
        const envelope = {
          ...{ version: 1, brokerMessageId: id, chatId: chat.id, senderId, clientMessageId, content, sentAt },
          requestId: 'again',
        } as const;
        const [outcome] = await storeMessages(database, [envelope]);
        const tell = createTellStored({
          read: (wanted) => readStored(database, wanted),
          log: createLog({ logLevel: 'silent' }, 'test'),
        });
        const again = await tell([{ envelope, outcome } as Stored]);
        await world.notifier.publish([late.notification, ...again]);
        await world.send(ada!, chat.id, 'after all');
        await eventually('it goes on', () => bobs.seen.length === 3);
        const now = change === 'edit' ? 'new words' : '';
        expect(told(bobs)).toEqual([
          ['new', now],
          [change === 'edit' ? 'updated' : 'deleted', now],
          ['new', 'after all'],
        ]);
        // Nor is who comes later told them.
        const later = await connect(bob!, { [chat.id]: chat.eventSequence });
        expect(later.seen).toEqual(bobs.seen);
        later.close();
      }
    });

    test('what an answer quotes is shown alike live, filled, resumed and by REST, whatever became of it', async () => {
      const [ada, bob] = await world.newUsers(2);
      const [chat, elsewhere] = [await world.newGroup(ada!, bob!), await world.newGroup(ada!, bob!)];
      const said = async (chatId: string, content: string) =>
        (await world.send(ada!, chatId, content)).message;
      const [plain, changed, gone, foreign] = [
        await said(chat.id, 'plain'),
        await said(chat.id, 'before'),
        await said(chat.id, 'words'),
        await said(elsewhere.id, 'of another chat'),
      ];
      await world.edit(ada!, changed, 'after');
      await world.delete(ada!, gone);
      const bobs = await connect(bob!, { [chat.id]: 0 });
      const read = createTellStored({
        read: (wanted) => readStored(database, wanted),
        log: createLog({ logLevel: 'silent' }, 'test'),
      });
      const quoted = [plain.id, changed.id, gone.id, foreign.id, crypto.randomUUID()];
      /** The last one answers the first, which comes in the same batch. */
      async function answers(how: string) {
        const batch: Stored['envelope'][] = [];
        for (const replyTo of [undefined, ...quoted, 'first']) {
          const clientMessageId = crypto.randomUUID();
          const brokerMessageId = deriveBrokerMessageId(chat.id, ada!.id, clientMessageId);
          const about = replyTo === 'first' ? batch[0]!.brokerMessageId : replyTo;
          batch.push({
            ...{ version: 2, brokerMessageId, chatId: chat.id, senderId: ada!.id, clientMessageId },
            ...{ content: `${how} ${batch.length}`, sentAt: new Date().toISOString(), requestId: 'answers' },
            ...(about === undefined ? {} : { replyTo: about }),
          });
        }
        const outcomes = await storeMessages(database, batch);
        return batch.map((envelope, at) => ({ envelope, outcome: outcomes[at] }) as Stored);
      }
      const live = await answers('live');
      await world.notifier.publish(await read(live));
      const filled = await answers('filled');
      await world.send(ada!, chat.id, 'end');
      await eventually('all is told', () => told(bobs).some(([, content]) => content === 'end'));

      const quotesOf = (messages: readonly (Message | undefined)[], how: string) =>
        messages.flatMap((message) => (message?.content.startsWith(how) ? [message.replyTo] : []));
      const shown = ({ id, sequence, senderId }: Message, preview: string) => ({
        ...{ messageId: id, sequence, senderId, preview },
      });
      const state = await stateOf(chat.id, bob!.id);
      const later = await connect(bob!, { [chat.id]: chat.eventSequence });
      for (const [how, [first]] of [['live', live] as const, ['filled', filled] as const]) {
        const expected = [
          undefined,
          shown(plain, 'plain'),
          shown(changed, 'after'),
          ...quoted.slice(2).map((messageId) => ({ messageId, deleted: true as const })),
          shown(state.find(({ id }) => id === first!.envelope.brokerMessageId)!, `${how} 0`),
        ];
        expect(quotesOf(state, how)).toEqual(expected);
        for (const client of [bobs, later]) {
          const messages = client.seen.map(({ payload }) => payload.message as Message | undefined);
          expect(quotesOf(messages, how)).toEqual(expected);
        }
      }
    });

    test('who is not in a chat hears nothing of a mention of them there, and those who are do not hear whom it left out', async () => {
      const [ada, bob, eve, fay] = (await world.newUsers(4)) as [WorldUser, WorldUser, WorldUser, WorldUser];
      const chat = await world.newGroup(ada, bob, fay);
      const ofEve = await world.newGroup(ada, eve, fay);
      await world.remove(ada, chat.id, fay);
      const [bobs, eves, fays] = [await connect(bob), await connect(eve), await connect(fay)];
      const clientMessageId = crypto.randomUUID();
      const envelope: Stored['envelope'] = {
        version: 2,
        ...{ chatId: chat.id, senderId: ada.id, clientMessageId, content: 'mentions' },
        brokerMessageId: deriveBrokerMessageId(chat.id, ada.id, clientMessageId),
        mentions: { userIds: [eve.id, bob.id, fay.id], everyone: true },
        ...{ sentAt: new Date().toISOString(), requestId: 'mentions' },
      };
      const [outcome] = await storeMessages(database, [envelope]);
      const tell = createTellStored({
        read: (wanted) => readStored(database, wanted),
        log: createLog({ logLevel: 'silent' }, 'test'),
      });
      await world.notifier.publish(await tell([{ envelope, outcome } as Stored]));
      await eventually('it is told', () => bobs.seen.length === 1);
      const mentions = { userIds: [bob.id], everyone: true as const };
      expect(bobs.seen[0]?.payload.message).toMatchObject({ content: 'mentions', mentions });

      await world.edit(ada, bobs.seen[0]?.payload.message, { mentions: { userIds: [fay.id, eve.id] } });
      await eventually('the edit is told', () => bobs.seen.length === 2);
      expect(bobs.seen[1]?.payload.message.mentions).toBeUndefined();
      await world.send(ada, ofEve.id, 'of their own');
      await eventually('they hear of their own', () => [eves, fays].every(({ seen }) => seen.length > 0));
      for (const client of [eves, fays]) {
        expect(told(client)).toEqual([['new', 'of their own']]);
        expect(client.memberships).toEqual([]);
      }
    });

    test('500 old messages edited while away, some of them again: each is told once, one more is a reset', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const batch = Array.from({ length: 501 }, () => {
        const clientMessageId = crypto.randomUUID();
        const brokerMessageId = deriveBrokerMessageId(chat.id, ada!.id, clientMessageId);
        const [senderId, sentAt] = [ada!.id, new Date().toISOString()];
        return { brokerMessageId, chatId: chat.id, senderId, clientMessageId, content: 'x', sentAt };
      });
      await storeMessages(database, batch);
      const messages = await stateOf(chat.id, bob!.id);
      const kept = new Map(messages.map((message) => [message.id, message]));
      const cursor = chat.eventSequence + 501;
      /** In one statement, each with a number of its own. */
      const edit = (some: readonly Message[], content: string) =>
        database.query(
          `SELECT e.outcome FROM unnest($2::uuid[]) AS w (id),
            LATERAL edit_message($1::uuid, w.id, $3::uuid, $4, NULL, NULL, NULL) e`,
          [chat.id, some.map(({ id }) => id), ada!.id, content],
        );
      await edit(messages.slice(0, 100), 'z');
      await edit(messages.slice(0, 500), 'y');
      const client = await connect(bob!, { [chat.id]: cursor });
      expect(client.seen.map(({ event }) => event)).toEqual(Array(500).fill('chat.message.updated'));
      keep(kept, client.seen);
      expect(inOrder(kept)).toEqual(await stateOf(chat.id, bob!.id));
      await edit(messages.slice(500), 'y');
      const later = await connect(bob!, { [chat.id]: cursor });
      expect(later.seen).toEqual([
        { event: 'chat.sync.reset', payload: { chatId: chat.id, eventSequence: cursor + 601 } },
      ]);
    }, 60_000);

    test('fifty react three times each as their answers are lost, and half take it back: everybody has the same number', async () => {
      const people = await world.newUsers(50);
      const chat = await world.newGroup(...people);
      const { message, eventSequence: cursor } = await world.send(people[0]!, chat.id, 'loved');
      const stays = await connect(people[0]!);
      const ended = Promise.withResolvers<void>();
      const leaving = people.slice(1).map(async (user) => {
        // Comes and goes all the while, with the cursor that it has.
        let last: Partial<ReactionsEvent> = { eventSequence: cursor };
        for (let times = 0; times < 3; times += 1) {
          const client = await connect(user, { [chat.id]: last.eventSequence! });
          await Promise.race([ended.promise, eventually('it is told', () => client.seen.length > 0)]);
          last = client.seen.at(-1)?.payload ?? last;
          client.close();
        }
        return { user, last };
      });
      /** No answer came, or none in time: it is asked again. What was announced is lost in part, too. */
      async function insist(user: WorldUser, present: boolean): Promise<void> {
        await Bun.sleep(Math.random() * 200);
        await Promise.all(
          [0, 1, 2].map(async (times) => {
            await Bun.sleep(times * Math.random() * 60);
            await world.react(user, message, '👍', { present, silent: Math.random() < 0.3 });
          }),
        );
      }
      const began = performance.now();
      await Promise.all(
        people.map(async (user, at) => {
          await insist(user, true);
          if (at % 2 === 1) await insist(user, false);
        }),
      );
      const ranMs = performance.now() - began;
      ended.resolve();
      const left = await Promise.all(leaving);

      const [shown] = await stateOf(chat.id, people[1]!.id);
      const stayed = people.filter((_, at) => at % 2 === 0).map(({ id }) => id);
      expect(shown?.reactions).toEqual([{ key: '👍', count: 25, userIds: expect.any(Array) }]);
      for (const userId of shown!.reactions![0]!.userIds) expect(stayed).toContain(userId);
      // Each of the two apis gathers for 50 ms.
      const { lastEventSequence } = (
        await database.query<{ lastEventSequence: number }>(
          'SELECT last_event_sequence AS "lastEventSequence" FROM chats WHERE id = $1::uuid',
          [chat.id],
        )
      )[0]!;
      expect(lastEventSequence - cursor).toBeLessThanOrEqual(2 * Math.ceil(ranMs / 50));

      await eventually(
        'the last is told',
        () => stays.seen.at(-1)?.payload.eventSequence === lastEventSequence,
      );
      const numbers = stays.seen.map(({ payload }) => payload.eventSequence);
      expect(new Set(numbers).size).toBe(numbers.length);
      const resumed = await Promise.all(
        people.slice(1).map((user, at) => connect(user, { [chat.id]: at % 2 === 0 ? cursor : cursor - 1 })),
      );
      for (const client of [stays, ...resumed]) {
        const { payload } = client.seen.at(-1) as { payload: ReactionsEvent };
        expect(payload.reactions).toEqual(shown!.reactions!);
        expect(payload).toMatchObject({ messageId: message.id, sequence: message.sequence });
      }
      // Who comes back is told of the message as it is, and once of what it has.
      expect<string[][]>(resumed.map(({ seen }) => seen.map(({ event }) => event))).toEqual(
        resumed.map((_, at) => [...(at % 2 === 0 ? [] : ['chat.message.new']), 'chat.message.reactions']),
      );
      expect(resumed[1]?.seen[0]?.payload.message.reactions).toEqual(shown!.reactions!);
      const goneOn = left.map(async ({ user, last }) => {
        const { seen } = await connect(user, { [chat.id]: last.eventSequence! });
        expect(seen.at(-1)?.payload.reactions ?? last.reactions).toEqual(shown!.reactions!);
      });
      await Promise.all(goneOn);
    }, 30_000);

    test('sent, edited and deleted all the while, announced or not: whoever comes and goes has what there is', async () => {
      const [ada, ...others] = await world.newUsers(7);
      const chat = await world.newGroup(ada!, ...others);
      let flowing = true;
      const flow = (async () => {
        const alive: Message[] = [];
        for (let at = 0; flowing; at += 1) {
          const silent = Math.random() < 0.2;
          const one = alive[Math.floor(Math.random() * alive.length)];
          const what = Math.random();
          if (!one || what < 0.5) {
            alive.push((await world.send(ada!, chat.id, `${at}`, { silent })).message);
          } else if (what < 0.85) await world.edit(ada!, one, `edited ${at}`, { silent });
          else {
            await world.delete(ada!, one, { silent });
            alive.splice(alive.indexOf(one), 1);
          }
          await Bun.sleep(1);
        }
      })();
      const kept = await Promise.all(
        others.map(async (user) => {
          const messages = new Map<string, Message>();
          const cursors = { [chat.id]: chat.eventSequence };
          for (let times = 0; times < 6; times += 1) {
            const client = await connect(user, { ...cursors });
            const wanted = client.seen.length + 5;
            await eventually('it flows', () => client.seen.length >= wanted);
            if (times === 5) return { client, messages };
            client.close();
            keep(messages, client.seen);
            const numbers = client.seen.map(({ payload }) => payload.eventSequence);
            expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
            cursors[chat.id] = numbers.at(-1)!;
          }
          return expect.unreachable();
        }),
      );
      flowing = false;
      await flow;
      const { eventSequence: last } = await world.send(ada!, chat.id, 'the end');
      const now = await stateOf(chat.id, ada!.id);
      for (const { client, messages } of kept) {
        await eventually('the end is told', () => client.seen.at(-1)?.payload.eventSequence === last);
        keep(messages, client.seen);
        expect(inOrder(messages)).toEqual(now);
      }
    }, 60_000);
  });
}
