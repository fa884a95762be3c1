/**
 * Confab's gateway with notifications handed to it inside the process, as they come out of Redis: what it costs from the
 * arrival on, with nothing of Redis in it. Everything else is as in `src/gateway.ts`.
 */

import { createAdapters } from '../../src/adapters/adapters.ts';
import { createAuthentication } from '../../src/auth/auth.ts';
import type { Database } from '../../src/db/database.ts';
import { createGateway } from '../../src/gateway/server.ts';
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Notification, Subscriber } from '../../src/shared/ports/notifications.ts';
import { type Announcement, announcementCodec, createAnnouncements } from '../harness/announcements.ts';
import { serveControl } from '../harness/control.ts';
import type { Rooms } from '../harness/population.ts';
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
  log,
});
/**
 * In fan-out, whose floor has none of it: 10,000 sockets that connected within two seconds are all asked within two seconds
 * whether they are there, 150 ms of processor time every 25 s, more than a window has deliveries.
 */
const withoutUpkeep = {
  comparisonMs: 600_000,
  pingTimes: { intervalMs: 120_000, timeoutMs: 20_000, sweepMs: 1_000 },
};
const gateway = createGateway({
  metrics: createMetrics(),
  ...(process.env.BENCH_UPKEEP === 'off' ? withoutUpkeep : {}),
  verifyToken: verify,
  database,
  subscriber: process.env.BENCH_SUBSCRIBER === 'redis' ? await adapters.subscriber() : inProcess,
  notifier: await adapters.notifier(),
  presence,
  rateLimits: await adapters.rateLimits(),
  maxSocketsPerUser: config.maxSocketsPerUser,
  allowedOrigin: () => true,
  trustProxy: false,
  log,
});
const server = Bun.serve<never>({
  port: 0,
  fetch: (request, self) => gateway.fetch(request, self),
  websocket: gateway.websocket as Bun.WebSocketHandler<never>,
  idleTimeout: gateway.idleTimeout,
});

const codec = await announcementCodec(config.database.url);
const announce = createAnnouncements(config.database.url, codec);
let prepared: Announcement[] = [];

serveControl({
  port: () => server.port,
  queries: () => queries,
  collect: () => Bun.gc(true),
  async prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = await announce(rooms, count);
  },
  async run({ ticks, perTick }: { ticks: Ticks; perTick: number }) {
    await runTicks(ticks, (tick) => {
      const batch = prepared
        .slice(tick * perTick, (tick + 1) * perTick)
        .flatMap(({ topic, wire }) => codec.decode(topic, wire) ?? []);
      handOver(batch);
    });
  },
});
