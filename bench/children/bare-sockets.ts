/** The floor of fan-out, of connects and of memory: `Bun.serve` with WebSockets and nothing else. */
import { serveControl } from '../harness/control.ts';
import { createMessages, flat } from '../harness/messages.ts';
import type { Rooms } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

interface Data {
  user: number;
}

const members = new Map<number, Set<Bun.ServerWebSocket<Data>>>();
const sockets = new Map<number, Bun.ServerWebSocket<Data>>();
const makeMessages = createMessages();
let prepared: { chat: number; sender: number; frame: string; saved: string }[] = [];

const server = Bun.serve<Data>({
  port: 0,
  fetch: (request, self) =>
    self.upgrade(request, { data: { user: 0 } }) ? undefined : new Response(null, { status: 400 }),
  websocket: {
    // { user, chats }
    message(ws, message) {
      const { user, chats }: { user: number; chats: number[] } = JSON.parse(String(message));
      ws.data.user = user;
      sockets.set(user, ws);
      for (const chat of chats) {
        ws.subscribe(`chat:${chat}`);
        let room = members.get(chat);
        if (!room) {
          room = new Set();
          members.set(chat, room);
        }
        room.add(ws);
      }
      ws.send('ok');
    },
  },
});

const ways = {
  /** One native publish. */
  publish(at: number, leaveOut: boolean): void {
    const message = prepared[at];
    if (!message) return;
    const topic = `chat:${message.chat}`;
    if (!leaveOut) {
      server.publish(topic, message.frame);
      return;
    }
    const sender = sockets.get(message.sender);
    sender?.unsubscribe(topic);
    server.publish(topic, message.frame);
    sender?.subscribe(topic);
    sender?.send(message.saved);
  },
  /** A send for each member. */
  loop(at: number, leaveOut: boolean): void {
    const message = prepared[at];
    const room = message && members.get(message.chat);
    if (!room) return;
    for (const ws of room)
      ws.send(leaveOut && ws.data.user === message.sender ? message.saved : message.frame);
  },
};

serveControl({
  port: () => server.port,
  collect: () => Bun.gc(true),
  prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = makeMessages(rooms, count).map(({ chat, sender, body }) => ({
      chat,
      sender,
      frame: flat(`42/chat,["chat.message.new",${body}]`),
      saved: flat(`42/chat,["chat.message.saved",${body}]`),
    }));
  },
  async run(options: { ticks: Ticks; perTick: number; way: keyof typeof ways; leaveOut: boolean }) {
    const { ticks, perTick, way, leaveOut } = options;
    await runTicks(ticks, (tick) => {
      for (let at = tick * perTick; at < (tick + 1) * perTick; at += 1) ways[way](at, leaveOut);
    });
  },
});
