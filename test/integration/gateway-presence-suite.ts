import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createGetPresence } from '../../src/chat/get-presence.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  type GatewayBase,
  type RunningGateway,
  startTestGateway,
  type TestClient,
  type Transport,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { runningMs } from '../support/running-time.ts';

const presenceTimes = { offlineAfterMs: 1_000, gatherMs: 50, lookEveryMs: 20 };

/** What sockets are told of who types and who comes and goes, over as many gateways as there are ends. */
export function gatewayPresenceSuite(
  name: string,
  base: GatewayBase,
  transports: readonly Transport[] = ['websocket'],
): void {
  describe(`gateway, typing and presence: ${name}`, () => {
    const gateways: RunningGateway[] = [];
    const clients: TestClient[] = [];
    let world: World;

    beforeAll(async () => {
      world = await createWorld(base);
      for (const end of base.ends)
        gateways.push(await startTestGateway({ ...base, ...end, presenceTimes, comparisonMs: 1_000 }));
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      for (const gateway of gateways) await gateway.stop();
    });

    let turn = 0;
    /** Each connect goes to the next gateway, if none is said. */
    async function connect(user: WorldUser, at = turn++): Promise<TestClient> {
      const { url } = gateways[at % gateways.length]!;
      const client = await connectClient(url, user, { transports: [...transports] });
      clients.push(client);
      return client;
    }
    const newUsers = (count: number) => world.newUsers(count) as Promise<[WorldUser, ...WorldUser[]]>;
    const getPresence = createGetPresence({ database: base.database, presence: base.ends[0]!.presence });
    const presenceOf = async (viewer: WorldUser, user: WorldUser) =>
      (await getPresence({ viewerId: viewer.id, userIds: [user.id] }))[0];
    /** Of whom a client was told that they are online, or not, oldest first; two gateways may say the same. */
    const told = ({ seen }: TestClient) => {
      const states = seen.flatMap(({ event, payload }) =>
        event === 'chat.presence' ? [[payload.userId, payload.online] as const] : [],
      );
      return states.filter((one, at) => !Bun.deepEquals(one, states[at - 1]));
    };
    /** Whoever was to be told to be online by now has been. */
    async function fence(watcher: WorldUser, client: TestClient): Promise<void> {
      const [other] = await newUsers(1);
      await world.newDirect(watcher, other);
      await connect(other);
      await eventually('the fence is told', () => told(client).some(([userId]) => userId === other.id));
      const others = client.seen.filter(({ payload }) => payload.userId !== other.id);
      client.seen.splice(0, client.seen.length, ...others);
    }

    test.concurrent('the others are told who types, on all devices, and the typist on none', async () => {
      const [ada, bob, eve] = (await newUsers(3)) as [WorldUser, WorldUser, WorldUser];
      const { id: chatId } = await world.newGroup(ada, bob);
      const sockets = await Promise.all([ada, ada, bob, bob, eve].map((user) => connect(user)));
      await world.type(ada, chatId, true);
      await world.type(ada, chatId, true);
      await world.type(ada, chatId, false);
      await world.send(eve, (await world.newGroup(eve, ada, bob)).id, 'fence');
      await eventually('the fence is told', () => sockets.every((one) => one.contents().includes('fence')));
      const typing = (one: TestClient) => one.seen.filter(({ event }) => event === 'chat.typing');
      const payload = (given: boolean) => ({
        event: 'chat.typing',
        payload: { chatId, userId: ada.id, typing: given, expiresInMs: 6_000 },
      });
      expect(sockets.map(typing)).toEqual([
        ...[[], [], [payload(true), payload(false)], [payload(true), payload(false)], []],
      ] as unknown as ReturnType<typeof typing>[]);
    });

    test.concurrent('who was removed is not told who types, not even in the moment of it', async () => {
      const [ada, bob, ...others] = await newUsers(12);
      const { id: chatId } = await world.newGroup(ada, bob!, ...others);
      const removed = await Promise.all(others.map((user) => connect(user)));
      const bobs = await connect(bob!);
      for (const user of others) {
        await world.remove(ada, chatId, user);
        await world.type(ada, chatId, false);
      }
      await eventually('all are told', () =>
        removed.every(({ seen }) => seen.at(-1)?.event === 'chat.participant.removed'),
      );
      // As who goes on typing: on a busy machine Redis may be taken for away, and a hint is lost.
      await eventually('who stays is told', async () => {
        await world.type(ada, chatId, true);
        return bobs.seen.at(-1)?.payload.typing === true;
      });
      removed.forEach(({ seen }, at) => {
        const typed = seen.filter(({ event }) => event === 'chat.typing').length;
        // Of each end before their own removal, at most.
        expect([at, typed <= at]).toEqual([at, true]);
        expect(seen.at(-1)?.payload.participant.userId).toBe(others[at]!.id);
      });
    });

    test.concurrent('the other one of a direct chat is told who comes, and who has been gone for long enough; a group is not', async () => {
      const [ada, bob, eve] = (await newUsers(3)) as [WorldUser, WorldUser, WorldUser];
      const { id: chatId } = await world.newDirect(ada, bob);
      await world.newGroup(eve, bob);
      const [adas, eves] = [await connect(ada), await connect(eve)];
      const [first, second] = [await connect(bob), await connect(bob)];
      await eventually('it is told', () => told(adas).length > 0);
      const payload = { chatId, userId: bob.id, online: true, lastSeenAt: null };
      expect(adas.seen[0]).toEqual({ event: 'chat.presence', payload });

      first.close();
      await Bun.sleep(presenceTimes.offlineAfterMs / 2);
      expect((await presenceOf(ada, bob))?.online).toBe(true);
      second.close();
      const began = runningMs();
      await eventually('it is right', async () => (await presenceOf(ada, bob))?.online === false);
      await eventually('it is told', () => told(adas).length > 1);
      const tookMs = runningMs() - began;
      expect(tookMs).toBeGreaterThanOrEqual(presenceTimes.offlineAfterMs - 20);
      expect(tookMs).toBeLessThan(presenceTimes.offlineAfterMs + 2_000);
      expect(adas.seen.at(-1)!.payload).toEqual({ chatId, ...(await presenceOf(ada, bob))! });
      expect(Math.abs(Date.now() - tookMs - Date.parse(adas.seen.at(-1)!.payload.lastSeenAt))).toBeLessThan(
        1_000,
      );

      await connect(bob);
      await eventually('it is told again', () => told(adas).length > 2);
      expect(told(adas)).toEqual([
        [bob.id, true],
        [bob.id, false],
        [bob.id, true],
      ]);
      expect(eves.seen).toEqual([]);
    });

    test.concurrent('who comes back soon, at whichever gateway, was never gone', async () => {
      const [ada, bob, eve] = (await newUsers(3)) as [WorldUser, WorldUser, WorldUser];
      for (const user of [bob, eve]) await world.newDirect(ada, user);
      const adas = await connect(ada);
      const eves = await connect(eve);
      let bobs = await connect(bob, 0);
      await eventually('both are told', () => told(adas).length > 1);
      adas.seen.length = 0;
      for (let at = 1; at <= 3; at += 1) {
        bobs.close();
        await Bun.sleep(100);
        bobs = await connect(bob, at);
      }
      eves.close();
      await eventually('another one is', () => told(adas).length > 0);
      await fence(ada, adas);
      expect(told(adas)).toEqual([[eve.id, false]]);
    }, 15_000);

    test.concurrent('who shows it to nobody is said to be offline, and after that nothing; nor are they told of others', async () => {
      const [ada, bob] = (await newUsers(2)) as [WorldUser, WorldUser];
      const { id: chatId } = await world.newDirect(ada, bob);
      const group = await world.newGroup(ada, bob);
      const [adas, bobs] = [await connect(ada), await connect(bob)];
      await eventually('it is told', () => told(adas).length > 0);
      adas.seen.length = 0;
      await world.updateMe({ userId: bob.id, showPresence: false });
      await eventually('it is told', () => told(adas).length > 0);
      const payload = { chatId, userId: bob.id, online: false, lastSeenAt: null };
      expect(adas.seen).toEqual([{ event: 'chat.presence', payload }]);
      expect(await presenceOf(ada, bob)).toEqual({ userId: bob.id, online: false, lastSeenAt: null });

      bobs.seen.length = 0;
      const [eve, gus] = (await newUsers(2)) as [WorldUser, WorldUser];
      await world.newDirect(eve, bob);
      await Promise.all([connect(eve), connect(gus)]);
      await world.add(ada, group.id, gus);
      await connect(bob);
      await fence(ada, adas);
      await eventually('all are told', () =>
        [adas, bobs].every(({ seen }) => seen.some(({ event }) => event === 'chat.participant.added')),
      );
      const added = ({ seen }: TestClient) =>
        seen.find(({ event }) => event === 'chat.participant.added')?.payload.participant;
      expect(added(bobs)).toMatchObject({ userId: gus.id, online: false });
      expect(added(adas)).toMatchObject({ userId: gus.id });
      expect([told(adas), told(bobs)]).toEqual([[[bob.id, false]], []]);
      const created = bobs.seen.find(({ event }) => event === 'chat.created')?.payload.chat;
      expect(created.participants.map((one: { online: boolean }) => one.online)).toEqual([false, false]);

      await world.updateMe({ userId: bob.id, showPresence: true });
      await eventually('it is told', () => told(adas).length > 1);
      expect(told(adas).at(-1)).toEqual([bob.id, true]);
    });

    test.concurrent('of 51 direct chats those with the newest activity are told', async () => {
      const [bob, ...others] = await newUsers(52);
      const chats = await Promise.all(others.map((user) => world.newDirect(bob, user)));
      await base.database.query(
        `UPDATE chats SET last_activity_at = now() - w.ord * interval '1 s'
         FROM unnest($1::uuid[]) WITH ORDINALITY AS w (id, ord) WHERE chats.id = w.id`,
        [chats.map(({ id }) => id)],
      );
      const watchers = [others[0]!, others[49]!, others[50]!];
      const sockets = await Promise.all(watchers.map((user) => connect(user)));
      await connect(bob);
      await eventually('two are told', () => told(sockets[0]!).length > 0 && told(sockets[1]!).length > 0);
      await fence(watchers[2]!, sockets[2]!);
      expect(told(sockets[2]!)).toEqual([]);
    });
  });
}
