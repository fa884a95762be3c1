import { createAnnounce } from '../changes/announce.ts';
import { createCountChanges } from '../changes/count-changes.ts';
import { kinds } from '../changes/kinds.ts';
import { createReadChanges } from '../changes/read-changes.ts';
import type { Database } from '../db/database.ts';
import type { Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import type { Notifier, Subscriber } from '../shared/ports/notifications.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { createReadPage } from './change.ts';
import { createChatOf } from './chats.ts';
import { createComparison } from './comparison.ts';
import { createConnecting, type VerifySocketToken } from './connect.ts';
import { createConnectLimits } from './connect-limits.ts';
import { createConnectionMetrics } from './connection-metrics.ts';
import { createConnections, type PingTimes } from './connections.ts';
import { closeInSlices } from './drain.ts';
import { createFanOut, type FanOut } from './fan-out.ts';
import type { HandshakeLimits } from './handshakes.ts';
import { socketUrl } from './http.ts';
import { idleSeconds, mostHandshakes, mostHandshakesOfAddress, mostHandshakesOfNetwork } from './limits.ts';
import { createMembershipWatch } from './membership-watch.ts';
import type { Publish } from './native-room.ts';
import { createNotificationRoutes } from './notification-routes.ts';
import { createOwnMemberships } from './own-memberships.ts';
import { createPolling } from './polling.ts';
import { createPresenceAnnouncer, type PresenceTimes } from './presence-announcer.ts';
import { createPresenceHeartbeat } from './presence-heartbeat.ts';
import { createProtocol } from './protocol.ts';
import { createReceipts } from './receipts.ts';
import { createRequestAnswers } from './requests.ts';
import { createResume } from './resume.ts';
import { createSequencer, type Sequencer } from './sequencer.ts';
import { createSessions } from './sessions.ts';
import { createUsers } from './users.ts';
import { createWebSocketHandler, type WebSocketHandler } from './websocket.ts';

export interface GatewayOptions {
  verifyToken: VerifySocketToken;
  database: Database;
  subscriber: Subscriber;
  notifier: Notifier;
  presence: Presence;
  rateLimits: RateLimits;
  maxSocketsPerUser: number;
  /** Whether pages of this origin may connect; a request without Origin always may. */
  allowedOrigin: AllowedOrigin;
  metrics: Metrics;
  log: Logger;
  /** Whether the last entry of X-Forwarded-For is the client's address, because a proxy of ours wrote it. */
  trustProxy: boolean;
  /** Makes spans of what it does. */
  traced?: ((fanOut: FanOut) => FanOut) | undefined;
  /** Connections that have not joined `/chat` yet. */
  handshakeLimits?: HandshakeLimits;
  /** The longest time between two comparisons of what is local with PostgreSQL, in milliseconds. */
  comparisonMs?: number;
  /** How often clients are asked whether they are there; those of `limits.ts` otherwise. */
  pingTimes?: PingTimes;
  /** When others are told who comes and goes; those of `presence-announcer.ts` otherwise. */
  presenceTimes?: PresenceTimes;
}

/** What `Bun.serve` needs, alone or beside the api's app on one port. */
export interface Gateway {
  handles(url: string): boolean;
  /** An upgrade is answered by Bun: what is returned then is not looked at. */
  fetch(request: Request, server: Bun.Server<never>): Response | Promise<Response>;
  websocket: WebSocketHandler;
  /** Seconds, for `Bun.serve`. */
  idleTimeout: number;
  /**
   * Takes no new connections and closes the others' transports, spread over the time given, so that they do not all
   * come back elsewhere at once.
   */
  drain(overMs?: number): Promise<void>;
  ready(): boolean;
}

const drainMs = 3_000;

export function createGateway(options: GatewayOptions): Gateway {
  const { database, subscriber, allowedOrigin, trustProxy, log } = options;
  const { metrics, traced = (fanOut) => fanOut } = options;
  const measured = createConnectionMetrics(metrics);
  let draining = false;
  /** Who carries the sockets; known from the first request on. One for each address that is listened at. */
  const carriers = new Set<Bun.Server<never>>();
  const publish: Publish = (topic, frame) => {
    for (const carrier of carriers) carrier.publish(topic, frame);
    connections.published(frame.length);
  };

  const presence = createPresenceHeartbeat({ presence: options.presence, log });
  const announcer = createPresenceAnnouncer({
    ...{ database, presence: options.presence, log },
    announce: createAnnounce(options.notifier, log),
    earliestSocketOf: (userId) => [...users.of(userId)].map(({ socketId }) => socketId).sort()[0],
    times: options.presenceTimes,
  });
  const users = createUsers({ subscriber, presence, announcer, metrics, log });
  const limits = createConnectLimits({
    rateLimits: options.rateLimits,
    presence: options.presence,
    users,
    maxSocketsPerUser: options.maxSocketsPerUser,
    metrics,
  });
  const sessions = createSessions({ database, users, log });
  const ownMemberships = createOwnMemberships({ database, users, log });
  const chatOf = createChatOf({ database, presence: options.presence });
  const watchMembership = createMembershipWatch({
    database,
    chatOf,
    users,
    ownMemberships,
    sequencer: () => sequencer,
    log,
  });
  const sequencer: Sequencer = createSequencer({
    readPage: createReadPage(createReadChanges(kinds, { database, presence: options.presence })),
    subscriber,
    fanOut: traced(createFanOut({ publish, socketsOf: users.of })),
    ...{ metrics, log },
    onAdded: watchMembership,
  });
  const connecting = createConnecting({
    verifyToken: options.verifyToken,
    database,
    users,
    limits,
    sessions,
    sequencer,
    resume: createResume({
      ...{ database, sequencer, chatOf, watchMembership, metrics },
      countChanges: createCountChanges(kinds, database),
    }),
    ownMemberships,
    watchMembership,
    log,
  });
  const receipts = createReceipts({ sequencer, users, ownMemberships });
  const compare = createComparison({
    database,
    users,
    sequencer,
    sessions,
    ownMemberships,
    watchMembership,
    log,
    everyMs: options.comparisonMs,
  });
  subscriber.onNotifications(
    createNotificationRoutes({
      sequencer,
      users,
      sessions,
      ownMemberships,
      receipts,
      watchMembership,
      compareUser: compare.user,
      log,
    }),
  );
  subscriber.onReconnect(compare.now);

  const connections = createConnections({
    limits: options.handshakeLimits ?? {
      most: mostHandshakes,
      mostOfNetwork: mostHandshakesOfNetwork,
      mostOfAddress: mostHandshakesOfAddress,
    },
    ...{ measured, log },
    times: options.pingTimes,
  });
  const protocol = createProtocol({ connections, connecting, log });
  const polling = createPolling({ connections, protocol });

  const answer = createRequestAnswers({
    ...{ connections, polling, limits, allowedOrigin, trustProxy, measured, log },
    draining: () => draining,
  });

  return {
    handles: (url) => socketUrl.test(url),

    fetch(request, server) {
      carriers.add(server);
      return answer(request, server);
    },

    websocket: createWebSocketHandler({ connections, protocol, polling, log }),
    idleTimeout: idleSeconds,

    async drain(overMs = drainMs) {
      draining = true;
      compare.stop();
      log.info(`draining ${connections.all().size} sockets`);
      await closeInSlices(connections.all(), overMs);
      receipts.stop();
      connections.stop();
      await Promise.all([presence.leave(), announcer.stop()]);
    },

    ready: () => !draining,
  };
}
