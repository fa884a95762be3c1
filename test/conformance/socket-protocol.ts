import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { EmbeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type RunningGateway,
  startTestGateway,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';
import type { Link, OpenLink } from '../support/protocol-links.ts';

/** Short, for who does not answer to be found; who answers has time enough on a busy machine. */
const pingTimes = { intervalMs: 150, timeoutMs: 1_000, sweepMs: 20 };

/**
 * What Engine.IO 4 and Socket.IO 5 say of a server, as far as a server has it to which clients only listen, on a connection
 * that comes in this way.
 */
export function socketProtocolConformance(name: string, base: EmbeddedBase, open: OpenLink): void {
  describe(`socket protocol: ${name}`, () => {
    let world: World;
    let running: RunningGateway;
    let ada: WorldUser;
    let bob: WorldUser;
    const links: Link[] = [];

    beforeAll(async () => {
      world = await createWorld(base);
      running = await startTestGateway({ ...base, pingTimes });
      [ada, bob] = (await world.newUsers(2)) as [WorldUser, WorldUser];
    });
    afterAll(async () => {
      for (const link of links) await link.close();
      await running.stop();
    });

    async function opened(): Promise<Link> {
      const link = await open(running.url);
      links.push(link);
      return link;
    }
    async function joined(user = ada): Promise<Link> {
      const link = await opened();
      await link.send(`40/chat,${JSON.stringify({ token: user.token })}`);
      await link.next('42/chat,["chat.ready",');
      return link;
    }
    const isClosed = (link: Link) => eventually('it is closed', () => link.closed);

    /** The connection is as good as new: an event reaches it. */
    async function goesOn(link: Link): Promise<void> {
      await link.next('42/chat,["chat.ready",');
      const chat = await world.newGroup(bob, ada);
      await world.send(bob, chat.id, 'and on');
      expect(await link.next('42/chat,["chat.message.new"')).toContain('and on');
      expect(link.closed).toBe(false);
    }

    test('the handshake says what a client has to know', async () => {
      const { opening } = await opened();
      expect(opening).toEqual({
        sid: expect.stringMatching(/^[\w-]{20,}$/),
        upgrades: expect.any(Array),
        pingInterval: expect.any(Number),
        pingTimeout: expect.any(Number),
        maxPayload: expect.any(Number),
      });
      expect((await opened()).opening.sid).not.toBe(opening.sid);
    });

    test('a namespace is joined by CONNECT, which is answered with an id of its own', async () => {
      const link = await joined();
      const answer = link.packets.find((packet) => packet.startsWith('40/chat,'));
      const { sid } = JSON.parse(answer!.slice('40/chat,'.length));
      expect(sid).toMatch(/^[\w-]{20,}$/);
      expect(sid).not.toBe(link.opening.sid);
      await goesOn(link);
    });

    test.each([
      ['40', '44{'],
      ['40{}', '44{'],
      ['40/random', '44/random,{'],
      ['40/random,{"token":"x"}', '44/random,{'],
    ])('%s is refused: there is no such namespace', async (packet, start) => {
      const link = await opened();
      await link.send(packet);
      const refusal = await link.next('44');
      expect(refusal.startsWith(start)).toBe(true);
      expect(JSON.parse(refusal.slice(start.length - 1))).toEqual({ message: 'Invalid namespace' });
      // And no more than that is lost.
      await link.send(`40/chat,${JSON.stringify({ token: ada.token })}`);
      await goesOn(link);
    });

    test('a CONNECT that is refused says why, and may be sent again', async () => {
      const link = await opened();
      await link.send('40/chat,{"token":"x"}');
      const { message, data } = JSON.parse((await link.next('44/chat,')).slice('44/chat,'.length));
      expect([message, data.code]).toEqual([expect.any(String), 'token_invalid']);
      await link.send(`40/chat,${JSON.stringify({ token: ada.token })}`);
      await goesOn(link);
    });

    test.each([
      ['no packet', 'abc'],
      ['no packet of Engine.IO', '7'],
      ['a handshake of its own', '0{}'],
      ['a ping of its own', '2'],
      ['no packet of Socket.IO', '4abc'],
      ['an unknown type', '49'],
      ['a CONNECT whose payload is no JSON', '40/chat,{'],
      ['a CONNECT whose payload is no object', '40/chat,["x"]'],
      ['an event whose payload is an object', '42/chat,{}'],
      ['an event whose payload is no JSON', '42/chat,['],
      ['an event without a name', '42/chat,[]'],
      ['an event of an impossible id', '42/chat,abc["x"]'],
      ['an answer that is no list', '43/chat,1{}'],
    ])('%s closes the connection', async (_, packet) => {
      const link = await joined();
      await link.send(packet);
      await isClosed(link);
    });

    test.each(['42/chat,["x"]', '41/chat,', '43/chat,1[]'])(
      '%s before CONNECT closes the connection',
      async (packet) => {
        const link = await opened();
        await link.send(packet);
        await isClosed(link);
      },
    );

    test.each([
      ['an event', '42/chat,["x",1]'],
      ['an event that wants an answer', '42/chat,12["x"]'],
      ['an answer to nothing', '43/chat,12["x"]'],
      ['an event without its namespace', '42["x"]'],
    ])('%s is ignored, or ends the connection, and is not answered', async (_, packet) => {
      const link = await joined();
      await link.send(packet);
      if (packet.startsWith('42[')) return isClosed(link);
      await goesOn(link);
      expect(link.packets.filter((one) => one.startsWith('43'))).toEqual([]);
    });

    test('events come one after the other, in the namespace, each a packet', async () => {
      const link = await joined();
      const chat = await world.newGroup(bob, ada);
      for (let at = 0; at < 20; at += 1) await world.send(bob, chat.id, `${at}`);
      // The event of the new chat may hold its last message.
      const told = () =>
        link.packets
          .filter((packet) => packet.startsWith('42/chat,["chat.message.new"'))
          .map((packet) => JSON.parse(packet.slice('42/chat,'.length))[1].message.content);
      await eventually('all are here', () => told().includes('19'));
      expect(told()).toEqual(Array.from({ length: 20 }, (_, at) => `${at}`));
    });

    test('DISCONNECT leaves the namespace: nothing more comes of it', async () => {
      const link = await joined();
      const chat = await world.newGroup(bob, ada);
      await link.next('42/chat,["chat.created"');
      await link.send('41/chat,');
      await isClosed(link);
      await world.send(bob, chat.id, 'too late');
      expect(link.packets.some((packet) => packet.includes('too late'))).toBe(false);
    });

    test('the end of the connection is its end', async () => {
      const link = await joined();
      await link.send('1');
      await isClosed(link);
    });

    test('who answers pings is pinged again and again, and stays', async () => {
      const link = await joined();
      await eventually('it has been pinged', () => link.pings >= 4);
      await goesOn(link);
    });

    test('who does not answer a ping is closed, before CONNECT and after', async () => {
      const silent = await Promise.all([opened(), joined()]);
      for (const link of silent) link.answersPings = false;
      const before = silent.map(({ pings }) => pings);
      await Promise.all(silent.map(isClosed));
      for (const [at, { pings }] of silent.entries()) expect(pings - before[at]!).toBeLessThanOrEqual(1);
    });

    test('an answer to no ping is ignored', async () => {
      const link = await joined();
      for (let at = 0; at < 5; at += 1) await link.send('3');
      await goesOn(link);
    });
  });
}
