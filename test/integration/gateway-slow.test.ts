import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createEmbeddedPresence } from '../../src/shared/presence/embedded.ts';
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

/** A WebSocket that can stop reading, which `WebSocket` cannot. */
async function openReluctant(port: number, token: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (data) => {
    received += data;
  });
  socket.on('error', () => {});
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n` +
      `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await eventually('it is open', () => received.includes('"sid"'));
  socket.write(textFrame(`40/chat,${JSON.stringify({ token })}`));
  await eventually('it is ready', () => received.includes('chat.ready'));
  return socket;
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

  test('one over a WebSocket is closed at a mebibyte of backlog, and the others get everything', async () => {
    const [ada, bob, eve] = await world.newUsers(3);
    const chat = await world.newGroup(ada!, bob!, eve!);
    const fast = await connectClient(running.url, bob!);
    const slow = await openReluctant(running.port, eve!.token);
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
