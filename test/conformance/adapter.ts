import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { Server as Engine } from '@socket.io/bun-engine';
import { type Namespace, Server, type Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type Socket as ClientSocket, io } from 'socket.io-client';
import type { Publish } from '../../src/gateway/native-room.ts';
import { eventually } from '../support/eventually.ts';

interface Pair {
  client: ClientSocket;
  server: Socket;
  /** What the client has received, in order. */
  seen: unknown[][];
}

type Transports = ('polling' | 'websocket')[];

/** What every Socket.IO adapter does alike, to clients on either transport. */
export function adapterConformance(
  name: string,
  adapterOf: (publish: Publish) => typeof Adapter | undefined,
): void {
  describe(`adapter: ${name}`, () => {
    let nsp: Namespace;
    let close: () => Promise<unknown>;
    let url: string;
    const opened: ClientSocket[] = [];

    beforeAll(() => {
      const engine = new Engine({ path: '/socket.io/' });
      const adapter = adapterOf((topic, frame) => bun.publish(topic, frame));
      const server = new Server({ serveClient: false, ...(adapter ? { adapter } : {}) });
      server.bind(engine);
      const bun: Bun.Server<unknown> = Bun.serve({ port: 0, ...engine.handler() } as never);
      nsp = server.of('/test');
      nsp.use((socket, next) => {
        const { early } = socket.handshake.auth as { early?: string[] };
        if (early) socket.join(early);
        next();
      });
      url = `http://localhost:${bun.port}/test`;
      close = () => bun.stop(true);
    });
    afterEach(async () => {
      for (const client of opened.splice(0)) client.disconnect();
      await eventually('all have left', () => nsp.sockets.size === 0);
    });
    afterAll(() => close());

    async function open(transports: Transports = ['websocket'], early?: string[]): Promise<Pair> {
      const client = io(url, { transports, forceNew: true, reconnection: false, auth: { early } });
      opened.push(client);
      const seen: unknown[][] = [];
      client.onAny((...event) => seen.push(event));
      let server: Socket | undefined;
      await eventually('it is connected', () => {
        server = client.id === undefined ? undefined : nsp.sockets.get(client.id);
        return server !== undefined;
      });
      return { client, server: server!, seen };
    }
    const openMany = (count: number, transports?: Transports) =>
      Promise.all(Array.from({ length: count }, () => open(transports)));

    /** Each hears this after all that was sent to it before. */
    async function settle(...pairs: Pair[]): Promise<void> {
      for (const { server } of pairs) server.emit('settled');
      await eventually('all have settled', () => pairs.every(({ seen }) => seen.at(-1)?.[0] === 'settled'));
      for (const { seen } of pairs) seen.pop();
    }
    const names = ({ seen }: Pair) => seen.map(([event]) => event);

    const transports: [string, Transports][] = [
      ['WebSocket', ['websocket']],
      ['long polling', ['polling']],
      ['both', ['polling', 'websocket']],
    ];
    describe.each(transports)('over %s', (_, over) => {
      test('a room is told, and nobody else', async () => {
        const pairs = await openMany(6, over);
        for (const { server } of pairs.slice(0, 4)) server.join('room');
        nsp.to('room').emit('hello', { a: [1, 'ä ✓'] }, null);
        await settle(...pairs);
        for (const one of pairs.slice(0, 4)) expect(one.seen).toEqual([['hello', { a: [1, 'ä ✓'] }, null]]);
        for (const one of pairs.slice(4)) expect(one.seen).toEqual([]);
      });

      test('everybody is told, except who is left out', async () => {
        const pairs = await openMany(10, over);
        pairs[0]!.server.join('quiet');
        nsp.emit('all');
        nsp.except('quiet').emit('most');
        nsp.except(pairs[1]!.server.id).emit('most too');
        pairs[2]!.server.broadcast.emit('others');
        await settle(...pairs);
        expect(names(pairs[0]!)).toEqual(['all', 'most too', 'others']);
        expect(names(pairs[1]!)).toEqual(['all', 'most', 'others']);
        expect(names(pairs[2]!)).toEqual(['all', 'most', 'most too']);
        for (const one of pairs.slice(3)) expect(names(one)).toEqual(['all', 'most', 'most too', 'others']);
      });

      test('who is in several rooms is told once', async () => {
        const pairs = await openMany(5, over);
        pairs[0]!.server.join(['red', 'blue']);
        pairs[1]!.server.join('red');
        pairs[2]!.server.join('blue');
        pairs[3]!.server.join(['red', 'quiet']);
        nsp.to('red').to('blue').emit('once');
        nsp.to(['red', 'blue']).except('quiet').emit('but quiet');
        nsp.to('nobody is here').emit('never');
        await settle(...pairs);
        expect(pairs.map(names)).toEqual([
          ['once', 'but quiet'],
          ['once', 'but quiet'],
          ['once', 'but quiet'],
          ['once'],
          [],
        ]);
      });

      test('order holds between rooms, one socket, and everybody', async () => {
        const pairs = await openMany(4, over);
        nsp.socketsJoin(['red', 'blue']);
        const expected: number[] = [];
        for (let at = 0; at < 60; at += 1) {
          const ways = [
            () => nsp.to('red').emit('n', at),
            () => nsp.to('blue').emit('n', at),
            () => nsp.emit('n', at),
            () => {
              for (const { server } of pairs) server.emit('n', at);
            },
            () => nsp.to(['red', 'blue']).emit('n', at),
          ];
          ways[(at * 7) % ways.length]!();
          expected.push(at);
          if (at % 13 === 0) await Bun.sleep(1);
        }
        await settle(...pairs);
        for (const { seen } of pairs) expect(seen.map(([, at]) => at)).toEqual(expected);
      });

      test('a sender leaves itself out, again and again, and misses nothing of others', async () => {
        const pairs = await openMany(12, over);
        nsp.socketsJoin('room');
        for (let at = 0; at < 24; at += 1) pairs[at % 12]!.server.to('room').emit('n', at);
        await settle(...pairs);
        pairs.forEach(({ seen }, own) => {
          const expected = Array.from({ length: 24 }, (_, at) => at).filter((at) => at % 12 !== own);
          expect(seen.map(([, at]) => at)).toEqual(expected);
        });
      });

      test('what was sent before a socket left the room still arrives, and nothing after it', async () => {
        const pairs = await openMany(4, over);
        nsp.socketsJoin('room');
        nsp.to('room').emit('before');
        pairs[0]!.server.leave('room');
        nsp.in('room').socketsLeave(['room']);
        nsp.to('room').emit('after');
        pairs[1]!.server.join('room');
        nsp.to('room').emit('again');
        await settle(...pairs);
        expect(pairs.map(names)).toEqual([['before'], ['before', 'again'], ['before'], ['before']]);
      });

      test('binary data arrives as it is, in its place', async () => {
        const pairs = await openMany(3, over);
        nsp.socketsJoin('room');
        nsp.to('room').emit('text');
        nsp.to('room').emit('binary', { a: Buffer.from([1, 2, 250]), b: [Buffer.from('second')] });
        nsp.to('room').emit('text');
        await settle(...pairs);
        for (const { seen } of pairs) {
          expect(seen.map(([event]) => event)).toEqual(['text', 'binary', 'text']);
          const { a, b } = seen[1]![1] as { a: Uint8Array; b: Uint8Array[] };
          expect([...new Uint8Array(a)]).toEqual([1, 2, 250]);
          expect(Buffer.from(b[0]!).toString()).toBe('second');
        }
      });

      test('answers of a room are collected; who does not answer in time makes it fail', async () => {
        const pairs = await openMany(4, over);
        for (const { client, server } of pairs.slice(0, 3)) {
          server.join('room');
          client.on('ask', (question, answer) => answer(`${question} ${client.id}`));
        }
        const answers = await nsp.timeout(2_000).to('room').emitWithAck('ask', 'who');
        expect(answers.toSorted()).toEqual(
          pairs
            .slice(0, 3)
            .map(({ client }) => `who ${client.id}`)
            .toSorted(),
        );
        expect(await nsp.timeout(2_000).to('nobody').emitWithAck('ask', 'who')).toEqual([]);
        pairs[3]!.server.join('room');
        const failed = await nsp
          .timeout(100)
          .to('room')
          .emitWithAck('ask', 'who')
          .catch((error) => error);
        expect(failed).toBeInstanceOf(Error);
        expect(failed.responses.length).toBe(3);
        for (const { server } of pairs)
          expect((server as unknown as { acks: Map<number, unknown> }).acks.size).toBe(0);
      });

      test('what is volatile arrives where it can be written', async () => {
        const pairs = await openMany(3, over);
        nsp.socketsJoin('room');
        nsp.to('room').volatile.emit('now or never');
        await settle(...pairs);
        for (const one of pairs) expect(names(one).length).toBeLessThanOrEqual(1);
        if (over.length === 1 && over[0] === 'websocket') {
          for (const one of pairs) expect(names(one)).toEqual(['now or never']);
        }
      });

      test('rooms are left by disconnecting, of one kind or the other', async () => {
        const pairs = await openMany(4, over);
        nsp.socketsJoin('room');
        nsp.to('room').emit('first');
        await settle(...pairs);
        pairs[0]!.client.disconnect();
        pairs[1]!.server.disconnect();
        await eventually('they have left', () => nsp.adapter.rooms.get('room')?.size === 2);
        nsp.to('room').emit('second');
        await settle(...pairs.slice(2));
        expect(pairs.map(names)).toEqual([['first'], ['first'], ['first', 'second'], ['first', 'second']]);
        nsp.in('room').disconnectSockets(true);
        await eventually('all are gone', () => nsp.sockets.size === 0);
        expect(nsp.adapter.rooms.size).toBe(0);
        expect(nsp.adapter.sids.size).toBe(0);
      });

      test('what is told right before a disconnect arrives before it', async () => {
        const pairs = await openMany(3, over);
        nsp.socketsJoin('room');
        for (let at = 0; at < 5; at += 1) nsp.to('room').emit('last', at);
        nsp.in('room').disconnectSockets();
        await eventually('all are disconnected', () => pairs.every(({ client }) => client.disconnected));
        for (const { seen } of pairs) expect(seen.map(([, at]) => at)).toEqual([0, 1, 2, 3, 4]);
      });
    });

    test('rooms joined before the connect is answered count from then on', async () => {
      const pairs = await Promise.all([open(['websocket'], ['early']), open(['polling'], ['early']), open()]);
      nsp.to('early').emit('hello');
      const late = await open(['websocket'], ['early']);
      nsp.to('early').emit('again');
      await settle(...pairs, late);
      expect([...pairs, late].map(names)).toEqual([['hello', 'again'], ['hello', 'again'], [], ['again']]);
    });

    test('a room is told without a seam while its members upgrade', async () => {
      const steady = await openMany(3);
      for (const { server } of steady) server.join('room');
      let sent = 0;
      const timer = setInterval(() => nsp.to('room').emit('n', sent++), 1);
      const upgrading = io(url, {
        transports: ['polling', 'websocket'],
        forceNew: true,
        reconnection: false,
      });
      opened.push(upgrading);
      const seen: number[] = [];
      upgrading.on('n', (at) => seen.push(at));
      await eventually('it is connected', () => nsp.sockets.get(upgrading.id ?? '') !== undefined);
      nsp.sockets.get(upgrading.id!)!.join('room');
      await eventually('it has upgraded', () => upgrading.io.engine.transport.name === 'websocket');
      const upgradedAt = sent;
      await eventually('some more is sent', () => sent > upgradedAt + 20);
      clearInterval(timer);
      const last = sent - 1;
      await eventually('it has the last', () => seen.at(-1) === last);
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => last - seen.length + 1 + at));
      for (const one of steady) {
        await settle(one);
        expect(one.seen.map(([, at]) => at)).toEqual(Array.from({ length: sent }, (_, at) => at));
      }
    });

    test('rooms grow and shrink while they are told', async () => {
      const pairs = await openMany(9);
      const expected = new Map<Pair, number[]>(pairs.map((pair) => [pair, []]));
      let state = 7;
      for (let at = 0; at < 200; at += 1) {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        const one = pairs[state % 9]!;
        // In waves, so that it is crowded and empty by turns.
        if (Math.floor(at / 30) % 2 === 0) one.server.join('room');
        else one.server.leave('room');
        nsp.to('room').emit('n', at);
        for (const pair of pairs) if (pair.server.rooms.has('room')) expected.get(pair)!.push(at);
        if (at % 17 === 0) await Bun.sleep(0);
      }
      await settle(...pairs);
      for (const pair of pairs) expect(pair.seen.map(([, at]) => at)).toEqual(expected.get(pair)!);
    });

    test('the rooms and their sockets can be asked for', async () => {
      const pairs = await openMany(3);
      nsp.in(pairs[0]!.server.id).socketsJoin(['red', 'blue']);
      nsp.in(pairs[1]!.server.id).socketsJoin('red');
      const ids = async (room: string) => (await nsp.in(room).fetchSockets()).map(({ id }) => id).toSorted();
      expect(await ids('red')).toEqual([pairs[0]!.server.id, pairs[1]!.server.id].toSorted());
      expect(await nsp.in('blue').allSockets()).toEqual(new Set([pairs[0]!.server.id]));
      expect([...pairs[0]!.server.rooms].toSorted()).toEqual([pairs[0]!.server.id, 'red', 'blue'].toSorted());
      nsp.in('red').except('blue').socketsLeave('red');
      expect(await ids('red')).toEqual([pairs[0]!.server.id]);
    });

    test('listeners to what goes out hear it once a recipient', async () => {
      const pairs = await openMany(4);
      nsp.socketsJoin('room');
      pairs[3]!.server.join('quiet');
      const heard: unknown[] = [];
      for (const { server } of pairs) server.onAnyOutgoing((...event) => heard.push(event));
      nsp.to('room').except('quiet').emit('hello', 1);
      expect(heard).toEqual([
        ['hello', 1],
        ['hello', 1],
        ['hello', 1],
      ]);
    });
  });
}
