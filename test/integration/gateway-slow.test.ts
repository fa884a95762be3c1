import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { backlogLimitBytes, lookEveryBytes, removalBacklogBytes } from '../../src/gateway/limits.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
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
import { pageOf } from '../support/metrics-page.ts';

const base = await embeddedBase();
const { presence } = base;
const large = 'x'.repeat(7_900);
/** No less than what such a message takes on its way. */
const frameBytes = 8_500;

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

/** The same gateway, by a server that shows its sockets, and how many bytes waited for each that was cut off. */
function show({ gateway }: RunningGateway) {
  const held: Bun.ServerWebSocket<never>[] = [];
  const dropped: number[] = [];
  const websocket = gateway.websocket as Bun.WebSocketHandler<never>;
  const server: Bun.Server<never> = Bun.serve<never>({
    port: 0,
    fetch: (request) => gateway.fetch(request, server),
    websocket: {
      ...websocket,
      open(ws) {
        held.push(ws);
        const terminate = ws.terminate.bind(ws);
        ws.terminate = () => {
          dropped.push(ws.getBufferedAmount());
          terminate();
        };
        return websocket.open?.(ws);
      },
    },
  });
  return { held, dropped, port: server.port ?? 0, stop: () => server.stop(true) };
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
  const metrics = createMetrics();
  beforeAll(async () => {
    world = await createWorld(base);
    running = await startTestGateway({ ...base, metrics });
  });
  afterAll(() => running.stop());

  /** Sends until the user's sockets are gone. @returns how many have been sent then */
  async function sendUntilGone(
    sender: WorldUser,
    chatId: string,
    user: WorldUser,
    before = 0,
  ): Promise<number> {
    let sent = before;
    while ((await presence.online([user.id])).has(user.id)) {
      if (sent > 4_000) throw new Error('still connected after 30 MB');
      await world.send(sender, chatId, `<${sent}> ${large}`);
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
    expect(fast.contents().map((content) => Number.parseInt(content.slice(1), 10))).toEqual(
      Array.from({ length: sent }, (_, at) => at),
    );
    expect(fast.disconnects).toEqual([]);
    const page = await pageOf(metrics);
    expect(page.value('confab_backlog_closes_total')).toBe(1);
    expect(page.value('confab_disconnects_total', { reason: 'backlog' })).toBe(1);
    slow.destroy();
    fast.close();
  }, 90_000);

  async function openPolling(): Promise<string> {
    const opened = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling`);
    return JSON.parse((await opened.text()).slice(1)).sid;
  }

  /** @returns how many have been sent then */
  type Ending = (parts: {
    sender: WorldUser;
    reader: WorldUser;
    chatId: string;
    sent: number;
  }) => Promise<number>;
  /** With how many bytes may wait without it. */
  const endings: [string, Ending, number][] = [
    ['whose session has ended', ({ reader, sent }) => world.endSession(reader).then(() => sent), 0],
    [
      'who is removed from the chat',
      ({ sender, chatId, reader, sent }) => world.remove(sender, chatId, reader).then(() => sent),
      removalBacklogBytes,
    ],
    [
      'for whom too much waits',
      ({ sender, chatId, reader, sent }) => sendUntilGone(sender, chatId, reader, sent),
      backlogLimitBytes,
    ],
  ];
  const kinds = ['that is a WebSocket from the beginning', 'upgraded from long polling'];
  const cases = kinds.flatMap((kind) => endings.map((ending) => [kind, ...ending] as const));
  test.each(cases)(
    'one %s, %s, is sent nothing more of what waits for it',
    async (kind, _, end, mayWait) => {
      const shown = show(running);
      const [ada, eve] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, eve!);
      const sid = kind.startsWith('upgraded') ? await openPolling() : undefined;
      const { socket, received } = await openReluctant(shown.port, eve!.token, sid);
      socket.pause();
      let sent = 0;
      // Until it stays: the kernel's buffers grow for a while, and take more of it.
      for (let before = 0, stays = 0; stays < 10; ) {
        const held = shown.held[0]!.getBufferedAmount();
        if (held < 300_000) await world.send(ada!, chat.id, `<${sent++}> ${large}`);
        stays = held >= 300_000 && held === before ? stays + 1 : 0;
        before = held;
        await Bun.sleep(held < 300_000 ? 0 : 10);
      }
      sent = await end({ sender: ada!, reader: eve!, chatId: chat.id, sent });
      await eventually('it is gone', async () => !(await presence.online([eve!.id])).has(eve!.id));
      const ended = new Promise((resolve) => socket.on('close', resolve));
      socket.resume();
      await ended;
      // What the kernel had taken comes; what Bun held does not.
      const told = [...received().matchAll(/<(\d+)> /g)].map(([, number]) => Number(number));
      expect(told).toEqual(told.map((_, at) => at));
      const [dropped = 0] = shown.dropped;
      expect(dropped).toBeWithin(mayWait + 1, backlogLimitBytes + lookEveryBytes + 2 * frameBytes);
      expect(told.length).toBeLessThanOrEqual(sent - Math.floor(dropped / frameBytes));
      await shown.stop();
    },
    90_000,
  );

  test('one who is told too much at once is closed before anything is dropped, so that there is no gap', async () => {
    let arrive: Parameters<typeof base.subscriber.onNotifications>[0] = () => {};
    const subscriber: typeof base.subscriber = {
      ...base.subscriber,
      onNotifications(handler) {
        arrive = handler;
      },
    };
    const own = await startTestGateway({ ...base, subscriber });
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const shown = show(own);
    const { socket } = await openReluctant(shown.port, eve!.token);
    socket.pause();
    const store = async () => (await world.send(ada!, chat.id, large, { silent: true })).notification;
    while (shown.held[0]!.getBufferedAmount() < 200_000) {
      arrive([await store()]);
      await Bun.sleep(0);
    }
    const much: Notification[] = [];
    for (let at = 0; at < 90; at += 1) much.push(await store());
    // Bun's own end comes a turn later, and what is sent until then may go out.
    arrive(much);
    expect(shown.held[0]!.readyState).not.toBe(WebSocket.OPEN);
    socket.destroy();
    await shown.stop();
    await own.stop();
  }, 90_000);

  /** The address of one who is ready. */
  async function joinPolling({ token }: WorldUser): Promise<string> {
    const at = `${running.url}/socket.io/?EIO=4&transport=polling&sid=${await openPolling()}`;
    await fetch(at, { method: 'POST', body: `40/chat,${JSON.stringify({ token })}` });
    let polled = '';
    await eventually('it is ready', async () => {
      polled += await (await fetch(at)).text();
      return polled.includes('chat.ready');
    });
    return at;
  }

  test.each(endings.slice(0, 2))(
    'one on long polling, %s, is sent nothing more of what waits for it',
    async (_, end) => {
      const [ada, eve] = await world.newUsers(2);
      const chat = await world.newGroup(ada!, eve!);
      const at = await joinPolling(eve!);
      for (let sent = 0; sent < 10; sent += 1) await world.send(ada!, chat.id, large);
      await end({ sender: ada!, reader: eve!, chatId: chat.id, sent: 10 });
      await eventually('it is gone', async () => !(await presence.online([eve!.id])).has(eve!.id));
      expect((await fetch(at)).status).toBe(400);
    },
  );

  test('what waits for one on long polling that is removed is told with the removal, if it is not much', async () => {
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const at = await joinPolling(eve!);
    await world.send(ada!, chat.id, 'before it');
    await world.remove(ada!, chat.id, eve!);
    await world.send(ada!, chat.id, 'after it');
    let polled = '';
    await eventually('it is told', async () => {
      polled += await (await fetch(at)).text();
      return polled.includes('chat.participant.removed');
    });
    expect(polled).toContain('before it');
    expect(polled).not.toContain('after it');
  });

  test('what Socket.IO answers to one on long polling waits with the rest, and counts', async () => {
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const at = await joinPolling(eve!);
    for (let sent = 0; sent < 60; sent += 1) await world.send(ada!, chat.id, large);
    await eventually('it has joined', async () => (await presence.online([eve!.id])).has(eve!.id));
    const asked = Array.from({ length: 40 }, () => `40/${'x'.repeat(4_000)},`);
    await fetch(at, { method: 'POST', body: asked.join('\x1e') });
    expect((await fetch(at)).status).toBe(400);
  });

  test('a client may leave as much unread as a connect tells at most', async () => {
    const [ada, eve] = await world.newUsers(2);
    const chat = await world.newGroup(ada!, eve!);
    const others = await world.insertGroups(Array.from({ length: 999 }, () => [eve!]));
    for (let sent = 0; sent < 40; sent += 1) await world.send(ada!, chat.id, `<${sent}> ${large}`);
    // Each of the others is reset: their numbers are none that were told.
    const cursors = { ...Object.fromEntries(others.map((chatId) => [chatId, 9])), [chat.id]: 1 };
    let polled = '';
    let waitMs = 100;
    // It polls once, when all has been told: whether that was so is seen afterwards.
    await eventually('all has waited', async () => {
      const at = `${running.url}/socket.io/?EIO=4&transport=polling&sid=${await openPolling()}`;
      await fetch(at, { method: 'POST', body: `40/chat,${JSON.stringify({ token: eve!.token, cursors })}` });
      await Bun.sleep(waitMs);
      waitMs *= 2;
      const answer = await fetch(at);
      expect(answer.status).toBe(200);
      polled = await answer.text();
      return polled.includes('chat.ready');
    });
    expect(polled.match(/chat\.sync\.reset/g)).toHaveLength(1_000);
    expect(polled.length).toBeWithin(330_000, 512 * 1024);
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
  }, 90_000);
});
