import { beforeAll, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type GatewayBase,
  type TestClient,
  type Transport,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import { openGateways } from '../support/open-gateways.ts';
import { runningMs } from '../support/running-time.ts';

/**
 * What sockets see, whatever the adapters, over as many gateways as there are ends. `transports` are the clients'.
 */
export function gatewaySuite(
  name: string,
  base: GatewayBase,
  transports: readonly Transport[] = ['websocket'],
): void {
  describe(`gateway: ${name}`, () => {
    const { open, connect: connectWith } = openGateways(base, {}, transports);
    const connect = (user: WorldUser) => connectWith(user.token);
    let world: World;
    beforeAll(async () => {
      world = await createWorld(base);
    });

    /** Whatever was on its way to the sockets of the chat's members has arrived after this. */
    async function fence(sender: WorldUser, chatId: string, ...others: TestClient[]) {
      const content = `fence ${crypto.randomUUID()}`;
      await world.send(sender, chatId, content);
      await eventually('the fence arrives', () => others.every((one) => one.contents().includes(content)));
    }

    test('a message reaches every participant once, in exactly the documented shape', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const [adas, bobs, eves] = [await connect(ada!), await connect(bob!), await connect(eve!)];
      const { eventSequence } = await world.send(ada!, chat.id, 'Hello from sender');
      await eventually('it arrives', () => bobs.seen.length > 0 && adas.seen.length > 0);
      const message = {
        id: expect.any(String),
        chatId: chat.id,
        senderId: ada!.id,
        content: 'Hello from sender',
        messageType: 'text',
        status: 'sent',
        sequence: 1,
        sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        clientMessageId: expect.any(String),
      };
      const payload = { chatId: chat.id, message, eventSequence };
      expect(bobs.seen).toEqual([{ event: 'chat.message.new', payload }]);
      expect(adas.seen).toEqual([{ event: 'chat.message.saved', payload }]);
      await fence(bob!, chat.id, adas, bobs);
      expect(eves.seen).toEqual([]);
      expect(bobs.contents('chat.message.new')).toEqual(['Hello from sender']);
    });

    test("all of the sender's sockets get saved, and none of them new", async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const adas = [await connect(ada!), await connect(ada!), await connect(ada!)];
      const bobs = [await connect(bob!), await connect(bob!)];
      for (let at = 0; at < 20; at += 1) await world.send(ada!, chat.id, `${at}`);
      const expected = Array.from({ length: 20 }, (_, at) => `${at}`);
      await eventually('all arrive', () => [...adas, ...bobs].every((one) => one.seen.length >= 20));
      for (const one of adas) expect(one.contents('chat.message.saved')).toEqual(expected);
      for (const one of bobs) expect(one.contents('chat.message.new')).toEqual(expected);
      for (const one of [...adas, ...bobs]) expect(one.seen).toHaveLength(20);
    });

    test('who is added gets the chat and what follows without connecting again', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const [adas, bobs, eves] = [await connect(ada!), await connect(bob!), await connect(eve!)];
      const chat = await world.newGroup(ada!, bob!);
      await eventually('both get the chat', () => adas.seen.length > 0 && bobs.seen.length > 0);
      for (const one of [adas, bobs]) {
        expect(one.seen).toEqual([{ event: 'chat.created', payload: { chat: expect.anything() } }]);
        expect(one.seen[0]!.payload.chat).toMatchObject({ id: chat.id, participantCount: 2 });
        one.seen.length = 0;
      }

      await world.send(ada!, chat.id, 'before');
      await world.add(ada!, chat.id, eve!);
      await world.send(bob!, chat.id, 'after');
      await eventually(
        'all arrive',
        () => eves.contents().length > 0 && adas.seen.length >= 3 && bobs.seen.length >= 3,
      );
      expect(eves.seen.map(({ event }) => event)).toEqual(['chat.created', 'chat.message.new']);
      expect(eves.seen[0]!.payload.chat).toMatchObject({ id: chat.id, participantCount: 3 });
      expect(eves.contents()).toEqual(['after']);
      expect(adas.seen.map(({ event }) => event)).toEqual([
        'chat.message.saved',
        'chat.participant.added',
        'chat.message.new',
      ]);
      expect(adas.seen[1]!.payload).toEqual({
        chatId: chat.id,
        participant: {
          userId: eve!.id,
          displayName: 'User 2',
          role: 'member',
          joinedAt: expect.any(String),
          online: true,
        },
        eventSequence: 4,
      });
      expect(bobs.seen.map(({ event }) => event)).toEqual([
        'chat.message.new',
        'chat.participant.added',
        'chat.message.saved',
      ]);
      expect([adas, bobs, eves].flatMap((one) => one.disconnects)).toEqual([]);
    });

    test('who is removed is told, and nothing after that', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!, eve!);
      const [bobs, eves, otherEves] = [await connect(bob!), await connect(eve!), await connect(eve!)];
      await world.send(ada!, chat.id, 'before');
      await world.remove(ada!, chat.id, eve!);
      for (let at = 0; at < 10; at += 1) await world.send(ada!, chat.id, `after ${at}`);
      await fence(ada!, chat.id, bobs);
      expect(bobs.seen.map(({ event }) => event).slice(0, 3)).toEqual([
        'chat.message.new',
        'chat.participant.removed',
        'chat.message.new',
      ]);
      for (const one of [eves, otherEves]) {
        await eventually('the removed is told', () => one.seen.length >= 2);
        expect(one.seen.map(({ event }) => event)).toEqual(['chat.message.new', 'chat.participant.removed']);
        expect(one.seen[1]!.payload).toMatchObject({ chatId: chat.id, participant: { userId: eve!.id } });
      }

      // Back again, still on the same sockets.
      await world.add(ada!, chat.id, eve!);
      await fence(ada!, chat.id, bobs, eves, otherEves);
      expect(eves.seen.slice(2).map(({ event }) => event)).toEqual(['chat.created', 'chat.message.new']);
      expect(eves.disconnects).toEqual([]);
    });

    test('messages keep their order whatever order, repeats and gaps the notifications have', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const [adas, bobs] = [await connect(ada!), await connect(bob!)];
      const expected = Array.from({ length: 60 }, (_, at) => `${at}`);
      const sent = [];
      for (const content of expected) {
        sent.push((await world.send(ada!, chat.id, content, { silent: true })).notification);
      }
      // Every third is lost; the others come backwards, twice.
      const kept = sent.filter((_, at) => at % 3 !== 0);
      for (const notification of [...kept.toReversed(), ...kept])
        await world.notifier.publish([notification]);
      await eventually('all arrive', () => bobs.seen.length >= 60 && adas.seen.length >= 60);
      await fence(bob!, chat.id, adas, bobs);
      expect(bobs.contents('chat.message.new')).toEqual(expected);
      expect(adas.contents('chat.message.saved')).toEqual(expected);
    });

    test('a forged notification shows nobody anything', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const [bobs, eves] = [await connect(bob!), await connect(eve!)];
      const { id: chatId } = chat;
      const [topic, version] = [`chat:${chatId}` as const, 1 as const];
      const change = { version, kind: 'change', chatId } as const;
      await world.notifier.publish([
        { topic, head: { ...change, eventSequence: 4, event: 'chat.participant.removed' }, body: '{}' },
        { topic, head: { ...change, eventSequence: 3, event: 'chat.participant.removed' }, body: '{}' },
        { topic, head: { ...change, eventSequence: 3, event: 'chat.participant.added' }, body: '{}' },
        { topic, head: { ...change, eventSequence: 2 ** 53 - 1, event: 'chat.message.new' }, body: '{}' },
        { topic, head: { version, kind: 'passing', event: 'chat.message.failed' }, body: '{}' },
        { topic, head: { version, kind: 'passing', event: 'chat.membership' }, body: '{}' },
        { topic: `user:${eve!.id}`, head: { version, kind: 'passing', event: 'chat.read' }, body: '{}' },
        {
          topic: `user:${eve!.id}`,
          head: { version, chatId, kind: 'membership', eventSequence: 3, userId: eve!.id },
          body: '',
        },
        {
          topic: `user:${bob!.id}`,
          head: { version, kind: 'session.revoked', userId: bob!.id, sessionId: bob!.sessionId },
          body: '',
        },
        {
          topic: `user:${eve!.id}`,
          head: { ...change, eventSequence: 3, event: 'chat.message.new' },
          body: '{}',
        },
      ]);
      await fence(ada!, chatId, bobs);
      expect(bobs.seen).toHaveLength(1);
      expect(eves.seen).toEqual([]);
      expect([...bobs.disconnects, ...eves.disconnects]).toEqual([]);
    });

    test('a notification of another version says where to look', async () => {
      const [ada, bob, eve] = await world.newUsers(3);
      const chat = await world.newGroup(ada!, bob!);
      const [bobs, eves] = [await connect(bob!), await connect(eve!)];
      const head = { version: 1, kind: 'unknown' } as const;
      await world.send(ada!, chat.id, 'unannounced', { silent: true });
      await world.notifier.publish([{ topic: `chat:${chat.id}`, head, body: '' }]);
      await eventually('it arrives', () => bobs.contents().includes('unannounced'));
      await world.addSilently(ada!, chat.id, eve!);
      await world.notifier.publish([{ topic: `user:${eve!.id}`, head, body: '' }]);
      await eventually('the added gets the chat', () => eves.seen.length > 0);
      expect(eves.seen[0]!.event).toBe('chat.created');
    });

    test('a message that was refused later is told to the sender alone', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      const [adas, bobs] = [await connect(ada!), await connect(bob!)];
      const payload = {
        chatId: chat.id,
        clientMessageId: crypto.randomUUID(),
        brokerMessageId: crypto.randomUUID(),
        code: 'chat_not_found',
      };
      await world.notifier.publish([
        {
          topic: `user:${ada!.id}`,
          head: { version: 1, kind: 'passing', event: 'chat.message.failed' },
          body: JSON.stringify(payload),
        },
      ]);
      await eventually('the sender is told', () => adas.seen.length > 0);
      expect(adas.seen).toEqual([{ event: 'chat.message.failed', payload }]);
      expect(bobs.seen).toEqual([]);
    });

    test("the end of a session closes its sockets' transports, and no others", async () => {
      const [ada] = await world.newUsers(1);
      const [first, second] = [await connect(ada!), await connect(ada!)];
      const elsewhere = await world.newUsers(1);
      const other = await connect(elsewhere[0]!);
      const began = runningMs();
      await world.endSession(ada!);
      await eventually('both are refused when they come back', () =>
        [first, second].every((one) => one.errors.length > 0),
      );
      // The comparison with PostgreSQL would find it within 30 s.
      expect(runningMs() - began).toBeLessThan(5_000);
      for (const one of [first, second]) {
        expect(one.disconnects).toEqual(['transport close']);
        expect(one.errors[0].data).toEqual({ code: 'session_revoked', detail: expect.any(String) });
        expect(one.socket.active).toBe(false);
      }
      expect(other.disconnects).toEqual([]);
    });

    test('a token closes its transport when it expires, and is refused after that', async () => {
      const [ada] = await world.newUsers(1);
      const client = open(await world.tokenFor(ada!, 1));
      await eventually('it is refused when it comes back', () => client.errors.length > 0);
      expect(client.errors[0].data.code).toBe('token_expired');
    });

    test('a user with hundreds of chats is in all of them when connected', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chats = [];
      for (let at = 0; at < 200; at += 1) chats.push(await world.newGroup(ada!, bob!));
      const [adas, bobs] = [await connect(ada!), await connect(bob!)];
      for (const chat of chats) await world.send(ada!, chat.id, chat.id);
      await eventually('all arrive', () => bobs.seen.length >= chats.length);
      expect(bobs.contents('chat.message.new')).toEqual(chats.map(({ id }) => id));
      await eventually('all are saved', () => adas.seen.length >= chats.length);
    }, 30_000);

    test('what is sent from the moment of connect on arrives, without waiting for ready', async () => {
      const [ada, bob] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, bob!);
      for (let at = 0; at < 10; at += 1) {
        const client = open(bob!.token);
        await eventually('it connects', () => client.socket.connected);
        await world.send(ada!, chat.id, `at once ${at}`);
        await eventually('it arrives', () => client.contents().includes(`at once ${at}`));
        client.close();
      }
    });

    test('sockets that connect while messages flow miss none from then on, and repeat none', async () => {
      const [ada, ...others] = await world.newUsers(11);
      const chat = await world.newGroup(ada!, ...others);
      let flowing = true;
      const sent: string[] = [];
      const flow = (async () => {
        while (flowing) {
          const content = `${sent.length}`;
          sent.push(content);
          await world.send(ada!, chat.id, content);
          // PGlite answers within the tick: let the sockets have their turn.
          await Bun.sleep(1);
        }
      })();
      const joined = await Promise.all(others.map((user) => connect(user)));
      await eventually('it flows on', () => joined.every((one) => one.seen.length > 20));
      flowing = false;
      await flow;
      await fence(ada!, chat.id, ...joined);
      for (const one of joined) {
        const contents = one.contents().slice(0, -1);
        expect(contents).toEqual(sent.slice(sent.indexOf(contents[0] ?? '')));
      }
    });

    test('connected users are online for the others, and not after they left', async () => {
      const [ada] = await world.newUsers(1);
      const { presence } = base.ends.at(-1)!;
      const [first, second] = [await connect(ada!), await connect(ada!)];
      await eventually('online', async () => (await presence.online([ada!.id])).has(ada!.id));
      first.close();
      second.close();
      await eventually('offline', async () => !(await presence.online([ada!.id])).has(ada!.id));
    });
  });
}
