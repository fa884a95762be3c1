import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Chat, ChatSettings, ParticipantRole } from '../../src/shared/contract.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type GatewayBase,
  openClient,
  type RunningGateway,
  startTestGateway,
  type TestClient,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';

/** What sockets are told of chats that change and end, and of people, over as many gateways as there are ends. */
export function gatewayChatsSuite(name: string, base: GatewayBase): void {
  describe(`gateway, changed chats: ${name}`, () => {
    const gateways: RunningGateway[] = [];
    const clients: TestClient[] = [];
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
      for (const end of base.ends) {
        gateways.push(await startTestGateway({ ...base, ...end, comparisonMs: 1_000 }));
      }
    });
    afterEach(() => {
      for (const client of clients.splice(0)) client.close();
    });
    afterAll(async () => {
      for (const gateway of gateways) await gateway.stop();
    });

    let turn = 0;
    async function connect(user: WorldUser, cursors?: object): Promise<TestClient> {
      const auth = (give: (auth: object) => void) => give({ token: user.token, cursors });
      const client = openClient(gateways[turn++ % gateways.length]!.url, user.token, { auth });
      clients.push(client);
      await eventually('it is ready', () => client.ready > 0);
      return client;
    }

    test('a change of a chat is told to everybody in its place, announced or not, and again to who was away', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const here = [await connect(ada!), await connect(bob!)];
      await world.send(bob!, chat.id, 'before');
      await world.update(ada!, chat.id, { name: 'Lunch' });
      const { eventSequence } = await world.send(bob!, chat.id, 'after');
      const shown: ChatSettings = {
        ...{ id: chat.id, isGroup: true, name: 'Lunch', avatarUrl: null, metadata: null, posting: 'all' },
      };
      for (const client of here) {
        await eventually('all is told', () => client.seen.length === 3);
        expect(client.seen[1]).toEqual({
          event: 'chat.updated',
          payload: { chatId: chat.id, chat: shown, eventSequence: eventSequence - 1 },
        });
      }
      await world.update(ada!, chat.id, { posting: 'admins' }, { silent: true });
      const last = {
        event: 'chat.updated' as const,
        payload: { chatId: chat.id, chat: { ...shown, posting: 'admins' }, eventSequence: eventSequence + 1 },
      };
      for (const client of here) {
        await eventually('it is found', () => client.seen.length === 4);
        expect(client.seen[3]).toEqual(last);
      }
      const later = await connect(bob!, { [chat.id]: chat.eventSequence });
      expect(later.seen.map(({ event }) => event)).toEqual([
        ...['chat.message.saved', 'chat.message.saved', 'chat.updated'],
      ] as never);
      expect(later.seen[2]).toEqual(last);
    });

    test.each([
      { silent: false, people: 3 },
      { silent: false, people: 24 },
      { silent: true, people: 3 },
    ])(
      'at the end of a chat each is told of their own removal, and no word more: %o',
      async ({ silent, people }) => {
        const [ada, away, ...others] = await world.newUsers(people);
        const chat = await world.newGroup(ada!, away!, ...others);
        const here = [...others, ada!];
        const heard = await Promise.all(here.map((user) => connect(user)));
        await world.send(ada!, chat.id, 'told');
        await eventually('it is told', () => heard.every(({ seen }) => seen.length === 1));
        const { notification } = await world.send(ada!, chat.id, 'not told any more', { silent: true });
        const removed = await world.send(ada!, chat.id, 'nor this', { silent: true });
        await world.endChat(ada!, chat.id, { silent });
        const own = ({ id }: WorldUser) => ({
          event: 'chat.participant.removed',
          payload: {
            chatId: chat.id,
            participant: expect.objectContaining({ userId: id }),
            eventSequence: removed.eventSequence + 1,
          },
        });
        const isRemoval = ({ event }: TestClient['seen'][number]) => event === 'chat.participant.removed';
        await eventually('all know', () => heard.every(({ seen }) => seen.some(isRemoval)));
        // The originals come when it is over.
        await world.notifier.publish([notification, removed.notification]);
        // Whoever comes back with what they know, and whoever does not know it.
        const back = await connect(away!, { [chat.id]: chat.eventSequence });
        expect(back.seen).toEqual([own(away!)] as never);
        expect((await connect(away!, {})).seen).toEqual([]);
        for (const [at, { seen }] of heard.entries()) {
          expect(seen.map(({ payload }) => payload.message?.content)).toEqual(['told', undefined]);
          expect(seen[1]).toEqual(own(here[at]!) as never);
          expect('participants' in seen[1]!.payload).toBe(false);
        }
      },
    );

    test('who changes how they are shown is told of to their own devices, and to those they talk with', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      await world.newGroup(ada!, bob!);
      const [adas, bobs, eves] = await Promise.all([ada!, bob!, eve!].map((user) => connect(user)));
      const { readReceipts, ...shown } = await world.updateMe({
        ...{ userId: ada!.id, displayName: 'Ada L.', readReceipts: false },
      });
      for (const client of [adas!, bobs!]) await eventually('it is told', () => client.seen.length === 1);
      expect(adas!.seen).toEqual([{ event: 'user.updated', payload: { user: { ...shown, readReceipts } } }]);
      expect(bobs!.seen).toEqual([{ event: 'user.updated', payload: { user: shown } }]);
      expect(eves!.seen).toEqual([]);
    });

    test('roles, names and posting change all the while, announced or not: whoever comes and goes has what there is', async () => {
      const [ada, ...others] = await world.newUsers(5);
      const chat = await world.newGroup(ada!, ...others);
      let flowing = true;
      const flow = (async () => {
        for (let at = 0; flowing; at += 1) {
          const silent = Math.random() < 0.2;
          const user = others[at % others.length]!;
          if (at % 3 === 0)
            await world.setRole(ada!, chat.id, user, (['admin', 'member', 'owner'] as const)[(at % 7) % 3]!);
          else if (at % 3 === 1)
            await world.update(
              ada!,
              chat.id,
              { name: `name ${at}`, posting: at % 2 ? 'admins' : 'all' },
              { silent },
            );
          else await world.send(ada!, chat.id, `${at}`, { silent });
          await Bun.sleep(1);
        }
      })();
      interface Known {
        settings: ChatSettings;
        roles: Map<string, ParticipantRole>;
      }
      const settingsOf = ({ id, isGroup, name, avatarUrl, metadata, posting }: Chat): ChatSettings => ({
        ...{ id, isGroup, name, avatarUrl, metadata, posting },
      });
      const knownOf = (of: Chat): Known => ({
        settings: settingsOf(of),
        roles: new Map(of.participants.map(({ userId, role }) => [userId, role])),
      });
      function learn(known: Known, seen: TestClient['seen']): void {
        for (const { event, payload } of seen) {
          if (event === 'chat.updated') known.settings = payload.chat;
          if (event === 'chat.participant.added')
            known.roles.set(payload.participant.userId, payload.participant.role);
        }
      }
      const learned = await Promise.all(
        others.map(async (user) => {
          const known = knownOf(chat);
          const cursors = { [chat.id]: chat.eventSequence };
          for (let times = 0; times < 4; times += 1) {
            const client = await connect(user, { ...cursors });
            const wanted = client.seen.length + 5;
            await eventually('it flows', () => client.seen.length >= wanted);
            if (times === 3) return { client, known };
            client.close();
            learn(known, client.seen);
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
      const now = knownOf(await world.update(ada!, chat.id, {}));
      for (const { client, known } of learned) {
        await eventually('the end is told', () => client.seen.at(-1)?.payload.eventSequence === last);
        learn(known, client.seen);
        expect(known).toEqual(now);
      }
    }, 30_000);
  });
}
