/**
 * The peers of fan-out: Socket.IO as its guide has it, on Node with `ws`, or in Bun on the stock bun-engine. What arrives is
 * parsed, as Socket.IO takes objects, and sent to the room except the sender, who gets an event of their own.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { serveControl } from '../harness/control.ts';
import { createMessages, flat } from '../harness/messages.ts';
import type { Rooms } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

/** In fan-out rarely within a window, as there in Confab. bun-engine takes no more. */
const pingInterval = process.env.BENCH_UPKEEP === 'off' ? 120_000 : 25_000;
const io = new Server({ serveClient: false, pingInterval });
const chat = io.of('/chat');
chat.use((socket, next) => {
  const { user, chats } = socket.handshake.auth as { user: number; chats: number[] };
  socket.join([`user:${user}`, ...chats.map((each) => `chat:${each}`)]);
  next();
});
const port = process.versions.bun === undefined ? await onNode() : await onBun();

async function onNode(): Promise<number> {
  const server = createServer();
  io.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, () => resolve()));
  return (server.address() as AddressInfo).port;
}

async function onBun(): Promise<number | undefined> {
  const { Server: Engine } = await import('@socket.io/bun-engine');
  const engine = new Engine({ path: '/socket.io/', pingInterval });
  io.bind(engine);
  return Bun.serve({ port: 0, ...engine.handler() }).port;
}

const makeMessages = createMessages();
let prepared: { chat: number; sender: number; wire: string }[] = [];

serveControl({
  port: () => port,
  collect: () => (process.versions.bun === undefined ? globalThis.gc?.() : Bun.gc(true)),
  prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = makeMessages(rooms, count).map(({ body, ...rest }) => ({ ...rest, wire: flat(body) }));
  },
  async run({ ticks, perTick }: { ticks: Ticks; perTick: number }) {
    await runTicks(ticks, (tick) => {
      for (const message of prepared.slice(tick * perTick, (tick + 1) * perTick)) {
        const event = JSON.parse(message.wire);
        chat.to(`chat:${message.chat}`).except(`user:${message.sender}`).emit('chat.message.new', event);
        chat.to(`user:${message.sender}`).emit('chat.message.saved', event);
      }
    });
  },
});
