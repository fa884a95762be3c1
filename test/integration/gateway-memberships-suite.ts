import { beforeAll, describe, expect, test } from 'bun:test';
import type { Membership } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { eventually } from '../support/eventually.ts';
import {
  counted,
  createWorld,
  type GatewayBase,
  openClient,
  startTestGateway,
  type TestClient,
  type Transport,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { openGateways } from '../support/open-gateways.ts';

/** What sockets are told of who has read how far, over as many gateways as there are ends. */
export function gatewayMembershipsSuite(
  name: string,
  base: GatewayBase,
  transports: readonly Transport[] = ['websocket'],
): void {
  describe(`gateway, memberships: ${name}`, () => {
    const { database, queries } = counted(base.database);
    const gateways = openGateways(base, { database, comparisonMs: 1_000 }, transports);
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
    });

    const open = ({ token }: WorldUser, auth: object = {}): TestClient =>
      gateways.open(token, { auth: { token, ...auth } });
    const connect = ({ token }: WorldUser, auth: object = {}): Promise<TestClient> =>
      gateways.connect(token, { auth: { token, ...auth } });
    async function groupOf(count: number, ...users: WorldUser[]): Promise<string> {
      const { id } = await world.newGroup(...users);
      for (let at = 0; at < count; at += 1) await world.send(users[0]!, id, `${at}`);
      return id;
    }
    const numbers = (given: readonly Membership[]) => given.map(({ version }) => version);

    test('what one reads and sets on one device all of the others are told, and nobody else', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatId = await groupOf(3, ada, bob);
      const bobs = [await connect(bob), await connect(bob), await connect(bob)];
      const adas = await connect(ada);
      const told = [
        await world.own.markRead({ userId: bob.id, chatId, sequence: 3 }),
        await world.own.markUnread({ userId: bob.id, chatId, sequence: 2 }),
        await world.own.set({ userId: bob.id, chatId, settings: { pinned: true } }),
      ];
      await eventually('all are told', () => bobs.every(({ memberships }) => memberships.length >= 3));
      for (const { memberships } of bobs) expect(memberships).toEqual(told);
      expect(told[1]).toMatchObject({ lastReadSequence: 1, unreadCount: 2, version: told[0]!.version + 1 });
      expect(adas.memberships).toEqual([]);
    });

    test('of mentions that an edit adds and takes away, and of a deletion, each membership is told as it is then', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const { id: chatId } = await world.newGroup(ada, bob);
      const { message } = await world.send(ada, chatId, 'Hey');
      const bobs = await connect(bob);
      let pinned = false;
      const told = async () => {
        pinned = !pinned;
        const own = await world.own.set({ userId: bob.id, chatId, settings: { pinned } });
        await eventually('it is told', () => bobs.memberships.at(-1)?.version === own.version);
        expect(bobs.memberships.at(-1)).toEqual(own);
        return [own.unreadCount, own.unreadMentionCount];
      };
      const edited = async (userIds: string[], everyone?: true) => {
        await world.edit(ada, message, { mentions: { userIds, ...(everyone && { everyone }) } });
        return told();
      };
      expect(await told()).toEqual([1, 0]);
      expect(await edited([bob.id])).toEqual([1, 1]);
      expect(await edited([ada.id])).toEqual([1, 0]);
      expect(await edited([bob.id], true)).toEqual([1, 1]);
      await world.delete(ada, message);
      expect(await told()).toEqual([0, 0]);
      // Who was away while it was so is told what it is now.
      const away = await connect(bob, { membershipsSince: 0 });
      expect(away.memberships.map((one) => [one.unreadCount, one.unreadMentionCount])).toEqual([[0, 0]]);
    });

    test('who comes back says what they know, and is told what has changed since', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatIds = [await groupOf(2, ada, bob), await groupOf(2, ada, bob), await groupOf(2, ada, bob)];
      const first = await connect(bob);
      const since = first.membershipVersion!;
      expect(since).toBe(3);
      expect(first.memberships).toEqual([]);
      first.close();
      const read = (chatId: string) => world.own.markRead({ userId: bob.id, chatId, sequence: 2 });
      const changed = [await read(chatIds[2]!), await read(chatIds[0]!)];

      const again = await connect(bob, { membershipsSince: since });
      expect(again.membershipVersion).toBe(since + 2);
      expect(again.memberships.toSorted((a, b) => a.version - b.version)).toEqual(changed);
      const later = await connect(bob, { membershipsSince: since + 1, cursors: {} });
      expect(later.memberships).toEqual([changed[1]!]);
      expect((await connect(bob, { membershipsSince: since + 2 })).memberships).toEqual([]);
      expect((await connect(bob, { membershipsSince: 0 })).memberships).toHaveLength(3);
      // Of a database that was restored to an older state.
      expect((await connect(bob, { membershipsSince: since + 3 })).memberships).toHaveLength(3);
      expect((await connect(bob)).memberships).toEqual([]);
      await world.remove(ada, chatIds[0]!, bob);
      expect((await connect(bob, { membershipsSince: since })).memberships).toEqual([changed[0]!]);
    });

    test('what is read while a socket connects is told it, whatever comes between', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatIds = await Promise.all(Array.from({ length: 8 }, () => groupOf(6, ada, bob)));
      const sockets: TestClient[] = [];
      const newest = new Map<string, Membership>();
      for (let sequence = 1; sequence <= 6; sequence += 1) {
        for (const [at, chatId] of chatIds.entries()) {
          if (at % 2 === 0) sockets.push(open(bob, { membershipsSince: 0 }));
          const reading = world.own.markRead({ userId: bob.id, chatId, sequence });
          newest.set(chatId, await reading);
        }
      }
      await eventually('all are ready', () => sockets.every(({ ready }) => ready > 0));
      const known = ({ memberships }: TestClient) =>
        chatIds.map((chatId) => Math.max(0, ...numbers(memberships.filter((one) => one.chatId === chatId))));
      const expected = chatIds.map((chatId) => newest.get(chatId)!.version);
      await eventually('all know all', () => sockets.every((one) => Bun.deepEquals(known(one), expected)));
    }, 30_000);

    test('what is read before the topic of its chat is acknowledged is told, too', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatId = await groupOf(3, ada, bob);
      const end = base.ends[0]!;
      const read: Membership[] = [];
      const subscriber: typeof end.subscriber = {
        ...end.subscriber,
        async subscribe(topics) {
          if (topics.includes(`chat:${chatId}`))
            read.push(await world.own.markRead({ userId: bob.id, chatId, sequence: 2 }));
          await end.subscriber.subscribe(topics);
        },
      };
      // It compares itself with PostgreSQL much later.
      const gateway = await startTestGateway({ ...base, ...end, database, subscriber });
      const client = openClient(gateway.url, bob.token, { auth: { token: bob.token, membershipsSince: 0 } });
      await eventually('it is ready', () => client.ready > 0);
      client.close();
      await gateway.stop();
      expect(read).toHaveLength(1);
      expect(client.memberships).toEqual(read);
    });

    test('what was not announced is noticed by the next announcement, and without one by the comparison', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const [one, two] = [await groupOf(5, ada, bob), await groupOf(5, ada, bob)];
      const bobs = await connect(bob);
      const lost = await world.ownSilently.markRead({ userId: bob.id, chatId: one, sequence: 2 });
      const heard = await world.own.markRead({ userId: bob.id, chatId: two, sequence: 3 });
      await eventually('both are told', () => new Set(numbers(bobs.memberships)).size === 2);
      expect(bobs.memberships).toContainEqual(lost);
      expect(bobs.memberships[0]).toEqual(heard);

      const later = await world.ownSilently.markRead({ userId: bob.id, chatId: one, sequence: 4 });
      await eventually('it is found', () => bobs.memberships.at(-1)?.version === later.version);
      expect(bobs.memberships.at(-1)).toEqual(later);
    });

    test('a chat comes with what is unread in it, and that is the membership of who it is for', async () => {
      const [ada, bob, eve] = (await world.newUsers(3)) as [WorldUser, WorldUser, WorldUser];
      const adas = await connect(ada);
      const eves = await connect(eve);
      const chatId = await groupOf(3, ada, bob);
      await world.add(ada, chatId, eve);
      await eventually('both have it', () => adas.seen.length > 0 && eves.seen.length > 0);
      expect(eves.seen[0]).toMatchObject({
        event: 'chat.created',
        payload: { chat: { id: chatId, membership: { chatId, lastReadSequence: 3, unreadCount: 0 } } },
      });
      const bobs = await connect(bob, { cursors: {} });
      expect(bobs.seen).toMatchObject([
        {
          event: 'chat.created',
          payload: { chat: { id: chatId, membership: { chatId, lastReadSequence: 0, unreadCount: 3 } } },
        },
      ]);
      expect([adas, bobs, eves].map(({ memberships }) => memberships)).toEqual([[], [], []]);
    });

    test('more than 500 are not told one by one: the list says them', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatIds = await world.insertGroups(Array.from({ length: 501 }, () => [ada, bob]));
      await base.database.query(
        `UPDATE chat_participants SET membership_version = 1, last_read_sequence = 0 WHERE user_id = $1::uuid`,
        [bob.id],
      );
      await base.database.query('UPDATE users SET own_changes = 1 WHERE id = $1::uuid', [bob.id]);
      const bobs = await connect(bob, { membershipsSince: 0 });
      expect([bobs.memberships, bobs.seen]).toEqual([[], [{ event: 'chat.sync.reset', payload: {} }]]);
      await world.remove(ada, chatIds[0]!, bob);
      const fewer = await connect(bob, { membershipsSince: 0 });
      expect([fewer.memberships.length, fewer.seen]).toEqual([500, []]);
    }, 30_000);

    test('many who come back at once are few statements', async () => {
      const [ada, ...others] = (await world.newUsers(61)) as [WorldUser, ...WorldUser[]];
      const { id: chatId } = await world.newGroup(ada, ...others);
      await world.send(ada, chatId, 'Hello');
      await Promise.all(others.map(({ id }) => world.own.markRead({ userId: id, chatId, sequence: 1 })));
      const before = queries();
      const sockets = await Promise.all(others.map((user) => connect(user, { membershipsSince: 1 })));
      expect(sockets.map(({ memberships }) => memberships.length)).toEqual(others.map(() => 1));
      expect(queries() - before).toBeLessThan(60);
    });

    test('a number of no membership is refused', async () => {
      const [ada] = (await world.newUsers(1)) as [WorldUser];
      for (const membershipsSince of ['1', -1, 1.5, 2 ** 53, null, true, [1], {}]) {
        const client = open(ada, { membershipsSince });
        await eventually('it is refused', () => client.errors.length > 0);
        expect(client.errors[0].data.code).toBe('validation_failed');
      }
    });

    test('it fits into the first frame beside 5,000 cursors', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const chatId = await groupOf(1, ada, bob);
      const { version } = await world.own.markRead({ userId: bob.id, chatId, sequence: 1 });
      for (const count of [1_001, 5_000]) {
        const cursors = Object.fromEntries([
          ...Array.from({ length: count }, () => [newId(), 1]),
          [chatId, 3],
        ]);
        const bobs = await connect(bob, { cursors, membershipsSince: version - 1 });
        expect(numbers(bobs.memberships)).toEqual([version]);
        expect(bobs.membershipVersion).toBe(version);
      }
    });

    test('who reads beside others is told with what they have read, and before anything else of their own', async () => {
      const [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
      const [chatId, other] = [await groupOf(9, ada, bob), await groupOf(9, ada, bob)];
      const bobs = await connect(bob);
      const read = (user: WorldUser, sequence: number) =>
        world.own.markRead({ userId: user.id, chatId, sequence });
      await read(ada, 1);
      const beside = await read(bob, 2);
      await eventually('it is told', () => bobs.seen.length > 0);
      expect(bobs.memberships).toEqual([beside]);
      expect(bobs.seen).toMatchObject([{ event: 'chat.read', payload: { chatId, reads: [{}, {}] } }]);

      const alone = await read(bob, 3);
      await eventually('it is told at once', () => bobs.memberships.length === 2);
      expect(bobs.seen).toHaveLength(1);
      const held = await read(bob, 4);
      const set = await world.own.set({ userId: bob.id, chatId: other, settings: { pinned: true } });
      await eventually('both are told', () => bobs.memberships.length === 4);
      expect(bobs.seen).toHaveLength(1);
      expect(bobs.memberships).toEqual([beside, alone, held, set]);
    });

    test('those in the chat are told who has read, once a second, but for those who tell nobody', async () => {
      const [ada, bob, eve, fay] = (await world.newUsers(4)) as [WorldUser, WorldUser, WorldUser, WorldUser];
      const chatId = await groupOf(9, ada, bob, eve, fay);
      await world.updateMe({ userId: eve.id, readReceipts: false });
      const [adas, bobs, eves, fays] = [
        await connect(ada),
        await connect(bob),
        await connect(eve),
        await connect(fay),
      ];
      const after = await world.updateMe({ userId: fay.id, readReceipts: false });
      await eventually('fay is told', () => fays.seen.length > 0);
      expect(fays.seen).toEqual([{ event: 'user.updated', payload: { user: after } }]);
      fays.seen.length = 0;

      const read = (user: WorldUser, sequence: number) =>
        world.own.markRead({ userId: user.id, chatId, sequence });
      await read(bob, 2);
      await Promise.all([read(ada, 9), read(bob, 4), read(eve, 9), read(fay, 9)]);
      await read(bob, 5);
      await eventually('it is told', () => adas.seen.length > 0 && bobs.seen.length > 0);
      const payload = {
        chatId,
        reads: expect.arrayContaining([
          { userId: bob.id, lastReadSequence: 5, readAt: expect.stringMatching(/Z$/) },
          { userId: ada.id, lastReadSequence: 9, readAt: expect.stringMatching(/Z$/) },
        ]),
      };
      for (const { seen } of [adas, bobs]) {
        expect(seen).toEqual([{ event: 'chat.read', payload }]);
        expect(seen[0]!.payload.reads).toHaveLength(2);
      }
      await world.send(ada, chatId, 'fence');
      await eventually('the fence arrives', () => eves.contents().length > 0 && fays.contents().length > 0);
      expect([...eves.seen, ...fays.seen].map(({ event }) => event)).toEqual([
        'chat.message.new',
        'chat.message.new',
      ]);
    });
  });
}
