import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  connectClient,
  createWorld,
  type RunningGateway,
  startTestGateway,
  type World,
  type WorldUser,
} from '../support/gateway-world.ts';

const base = await embeddedBase();
const presence = createEmbeddedPresence();
const large = 'x'.repeat(7_900);

/** A WebSocket that can stop reading, which `WebSocket` cannot, and all that has come. */
async function openReluctant(
  port: number,
  token: string,
  sid?: string,
): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (data) => {
    received += data;
  });
  socket.on('error', () => {});
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket${sid ? `&sid=${sid}` : ''} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n` +
      `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  if (sid) {
    await eventually('it is open', () => received.includes('101'));
    socket.write(textFrame('2probe'));
    await eventually('the probe is answered', () => received.includes('3probe'));
    socket.write(textFrame('5'));
  } else {
    await eventually('it is open', () => received.includes('"sid"'));
  }
  socket.write(textFrame(`40/chat,${JSON.stringify({ token })}`));
  await eventually('it is ready', () => received.includes('chat.ready'));
  return { socket, received: () => received };
}

/** Masked with zeros, which is a mask. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

describe('gateway: clients that do not read', () => {
  let world: World;
  let running: RunningGateway;
  beforeAll(async () => {
    world = await createWorld(base);
    running = await startTestGateway({ ...base, presence });
  });
  afterAll(() => running.stop());

  /** Sends until the user's sockets are gone; how many it took. */
  async function sendUntilGone(sender: WorldUser, chatId: string, user: WorldUser): Promise<number> {
    let sent = 0;
    while ((await presence.online([user.id])).has(user.id)) {
      if (sent > 4_000) throw new Error('still connected after 30 MB');
      await world.send(sender, chatId, `${sent} ${large}`);
      sent += 1;
      await Bun.sleep(0);
    }
    return sent;
  }

  test('one over a WebSocket is closed at half a mebibyte of backlog, and the others get everything', async () => {
    const [ada, bob, eve] = await world.newUsers(3);
    const chat = await world.newGroup(ada!, bob!, eve!);
    const fast = await connectClient(running.url, bob!);
    const { socket: slow } = await openReluctant(running.port, eve!.token);
    slow.pause();
    const sent = await sendUntilGone(ada!, chat.id, eve!);
    await eventually('the others have everything', () => fast.seen.length >= sent);
    expect(fast.contents().map((content) => Number.parseInt(content, 10))).toEqual(
      Array.from({ length: sent }, (_, at) => at),
    );
    expect(fast.disconnects).toEqual([]);
    slow.destroy();
    fast.close();
  }, 30_000);

  async function openPolling(): Promise<string> {
    const opened = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling`);
    return JSON.parse((await opened.text()).slice(1)).sid;
  }

  test.each(['that is a WebSocket from the beginning', 'upgraded from long polling'])(
    'one %s whose session has ended is sent nothing more of what waits for it',
    async (kind) => {
      const held: Bun.ServerWebSocket<never>[] = [];
      // The same gateway, by a server that shows its sockets.
      const { gateway } = running;
      const websocket = gateway.websocket as Bun.WebSocketHandler<never>;
      const shown: Bun.Server<never> = Bun.serve<never>({
        port: 0,
        fetch: (request) => gateway.fetch(request, shown),
        websocket: {
          ...websocket,
          open(ws) {
            held.push(ws);
            return websocket.open?.(ws);
          },
        },
      });
      const [ada, eve] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, eve!);
      const sid = kind.startsWith('upgraded') ? await openPolling() : undefined;
      const { socket, received } = await openReluctant(shown.port ?? 0, eve!.token, sid);
      socket.pause();
      let sent = 0;
      while (held[0]!.getBufferedAmount() < 200_000) {
        await world.send(ada!, chat.id, `<${sent}> ${large}`);
        sent += 1;
        await Bun.sleep(0);
      }
      await world.endSession(eve!);
      await eventually('it is gone', async () => !(await presence.online([eve!.id])).has(eve!.id));
      const ended = new Promise((resolve) => socket.on('close', resolve));
      socket.resume();
      await ended;
      // What the kernel had taken comes; what Bun held does not.
      const told = [...received().matchAll(/<(\d+)> /g)].map(([, number]) => Number(number));
      expect(told).toEqual(told.map((_, at) => at));
      expect(told.length).toBeLessThan(sent - 20);
      await shown.stop(true);
    },
    30_000,
  );

  test('one on long polling whose session has ended is sent nothing more of what waits for it', async () => {
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const at = `${running.url}/socket.io/?EIO=4&transport=polling&sid=${await openPolling()}`;
    await fetch(at, { method: 'POST', body: `40/chat,${JSON.stringify({ token: eve!.token })}` });
    let polled = '';
    await eventually('it is ready', async () => {
      polled += await (await fetch(at)).text();
      return polled.includes('chat.ready');
    });
    for (let sent = 0; sent < 10; sent += 1) await world.send(ada!, chat.id, `${sent}`);
    await world.endSession(eve!);
    await eventually('it is gone', async () => !(await presence.online([eve!.id])).has(eve!.id));
    expect((await fetch(at)).status).toBe(400);
  });

  test('one on long polling that does not poll is closed at as much', async () => {
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const url = `${running.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    const connectPacket = `40/chat,${JSON.stringify({ token: eve!.token })}`;
    await fetch(`${url}&sid=${sid}`, { method: 'POST', body: connectPacket });
    await eventually('it is online', async () => (await presence.online([eve!.id])).has(eve!.id));
    await eventually('it has joined', async () => (await world.send(ada!, chat.id, 'x')).eventSequence > 0);
    const sent = await sendUntilGone(ada!, chat.id, eve!);
    expect(sent).toBeLessThan(400);
    expect((await fetch(`${url}&sid=${sid}`)).status).toBe(400);
  }, 30_000);
});
