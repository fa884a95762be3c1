/**
 * Confab's gateway with notifications handed to it inside the process, as they come out of Redis: what it costs from the
 * arrival on, with nothing of Redis in it. Everything else is as in `src/gateway.ts`.
 */
import { createAuthentication } from '../../src/auth/auth.ts';
import { createGetChat } from '../../src/chat/get-chat.ts';
import type { Database } from '../../src/db/database.ts';
import { createGateway } from '../../src/gateway/server.ts';
import { createAdapters } from '../../src/shared/adapters.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createLifecycle } from '../../src/shared/lifecycle.ts';
import { createLog } from '../../src/shared/log.ts';
import type { Notification, Subscriber, Topic } from '../../src/shared/notifications/notifications.ts';
import { decodeNotification, encodeNotification } from '../../src/shared/notifications/notifications.ts';
import { serveControl } from '../harness/control.ts';
import { createMessages, flat, type Rooms } from '../harness/messages.ts';
import { chatId, userId } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

const config = parseConfig(process.env);
const log = createLog(config, 'gateway');
const lifecycle = createLifecycle(log);
const adapters = await createAdapters({ kind: 'servers' }, { name: 'bench-gateway', config, log, lifecycle });

let queries = 0;
const opened = await adapters.database();
const database: Database = {
  ...opened,
  query(text, parameters) {
    queries += 1;
    return opened.query(text, parameters);
  },
};

let handOver: (batch: readonly Notification[]) => void = () => {};
const inProcess: Subscriber = {
  subscribe: async () => {},
  unsubscribe: async () => {},
  onNotifications(handler) {
    handOver = handler;
  },
  onReconnect() {},
  ready: () => true,
};
const presence = await adapters.presence();
const { verify } = await createAuthentication({
  config: config.auth,
  database,
  facts: await adapters.facts(),
});
const gateway = createGateway({
  verifyToken: verify,
  database,
  subscriber: process.env.BENCH_SUBSCRIBER === 'redis' ? await adapters.subscriber() : inProcess,
  presence,
  getChat: createGetChat({ database, presence }),
  allowedOrigin: () => true,
  log,
});
const server = Bun.serve<never>({
  port: 0,
  fetch: (request, self) => gateway.fetch(request, self),
  websocket: gateway.websocket as Bun.WebSocketHandler<never>,
  idleTimeout: gateway.idleTimeout,
});

const makeMessages = createMessages();
let prepared: { topic: Topic; wire: string }[] = [];

serveControl({
  port: () => server.port,
  queries: () => queries,
  collect: () => Bun.gc(true),
  prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = makeMessages(rooms, count).map(({ chat, sender, eventSequence, body }) => {
      const topic = `chat:${chatId(chat)}` as const;
      const head = {
        version: 1,
        kind: 'message',
        chatId: chatId(chat),
        eventSequence,
        senderId: userId(sender),
      } as const;
      return { topic, wire: flat(encodeNotification({ topic, head, body })) };
    });
  },
  async run({ ticks, perTick }: { ticks: Ticks; perTick: number }) {
    await runTicks(ticks, (tick) => {
      const batch = prepared
        .slice(tick * perTick, (tick + 1) * perTick)
        .flatMap(({ topic, wire }) => decodeNotification(topic, wire) ?? []);
      handOver(batch);
    });
  },
});
