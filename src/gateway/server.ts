import { Server as Engine } from '@socket.io/bun-engine';
import { type Socket, Server as SocketServer } from 'socket.io';
import type { Database } from '../db/database.ts';
import type { Logger } from '../shared/log.ts';
import type { Subscriber } from '../shared/notifications/notifications.ts';
import type { Presence } from '../shared/presence/presence.ts';
import { createReadPage } from './change.ts';
import { createChatOf } from './chats.ts';
import { createComparison } from './comparison.ts';
import { type Admitted, createConnecting, type VerifySocketToken } from './connect.ts';
import { type Connection, createConnections, type PingTimes } from './connections.ts';
import { closeInSlices } from './drain.ts';
import { createFanOut } from './fan-out.ts';
import { addCorsHeaders, isWebSocketHandshake, preflight, refusal, refuseRequest } from './http.ts';
import { joinDeadlineMs, maxFrameBytes, pingIntervalMs, pingTimeoutMs } from './limits.ts';
import { backlogLimitBytes, closeConnection } from './member.ts';
import { createMembershipWatch } from './membership-watch.ts';
import { nativeAdapter } from './native-adapter.ts';
import type { Publish } from './native-room.ts';
import { createNotificationRoutes } from './notification-routes.ts';
import { createPresenceHeartbeat } from './presence-heartbeat.ts';
import { connectRefusal } from './refuse.ts';
import { createResume } from './resume.ts';
import { createSequencer, type Sequencer } from './sequencer.ts';
import { createSessions } from './sessions.ts';
import { createUsers } from './users.ts';
import { type GuardedWebSocketHandler, guardWebSocket } from './websocket.ts';

export interface GatewayOptions {
  verifyToken: VerifySocketToken;
  database: Database;
  subscriber: Subscriber;
  presence: Presence;
  /** Whether pages of this origin may connect; a request without Origin always may. */
  allowedOrigin: (origin: string) => boolean;
  log: Logger;
  /** Connections that have not joined `/chat` yet; beyond that new ones are sent away for a second. */
  mostHandshakes?: number;
  /** The longest time between two comparisons of what is local with PostgreSQL, in milliseconds. */
  comparisonMs?: number;
  /** How often clients are asked whether they are there; those of `limits.ts` otherwise. */
  pingTimes?: PingTimes;
}

/** What `Bun.serve` needs, alone or beside the api's app on one port. */
export interface Gateway {
  handles(path: string): boolean;
  fetch(request: Request, server: Bun.Server<never>): Promise<Response>;
  websocket: GuardedWebSocketHandler;
  /** Seconds; for `Bun.serve`, above the ping interval so that a poll may last. */
  idleTimeout: number;
  /**
   * Takes no new connections and closes the others' transports, spread over the time given, so that they do not all
   * come back elsewhere at once.
   */
  drain(overMs?: number): Promise<void>;
  ready(): boolean;
}

const path = '/socket.io/';
const forbidden = 4;
const drainMs = 3_000;

/** Private to the engine. */
interface EngineInternals {
  clients: Map<string, unknown>;
  /** All of a connect but its checks, which `isWebSocketHandshake` and `allowRequest` are. */
  handshake(request: Request, server: Bun.Server<never>, url: URL): Promise<Response>;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { database, subscriber, allowedOrigin, log, mostHandshakes = 2_000 } = options;
  let draining = false;
  /** Who carries the sockets; known from the first request on. */
  let bun: Bun.Server<never> | undefined;
  const publish: Publish = (topic, frame) => bun?.publish(topic, frame);

  const presence = createPresenceHeartbeat({ presence: options.presence, log });
  const users = createUsers({ subscriber, presence, log });
  const sessions = createSessions({ database, users, log });
  const chatOf = createChatOf({ database, presence: options.presence });
  const watchMembership = createMembershipWatch({
    database,
    chatOf,
    users,
    sequencer: () => sequencer,
    log,
  });
  const sequencer: Sequencer = createSequencer({
    readPage: createReadPage({ database, presence: options.presence }),
    subscriber,
    fanOut: createFanOut({ publish, socketsOf: users.of }),
    log,
    onAdded: watchMembership,
  });
  const connecting = createConnecting({
    carry: (connection, member, depart) => connections.carry(connection, member, depart),
    verifyToken: options.verifyToken,
    database,
    users,
    sessions,
    sequencer,
    resume: createResume({ database, sequencer, chatOf }),
    watchMembership,
    log,
  });
  const compare = createComparison({
    database,
    users,
    sequencer,
    sessions,
    watchMembership,
    log,
    everyMs: options.comparisonMs,
  });
  subscriber.onNotifications(
    createNotificationRoutes({
      sequencer,
      users,
      sessions,
      watchMembership,
      compareUser: compare.user,
      log,
    }),
  );
  subscriber.onReconnect(compare.now);

  const mayConnect = (request: Request): boolean => {
    const origin = request.headers.get('origin');
    return origin === null || allowedOrigin(origin);
  };
  const engine = new Engine({
    path,
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    maxHttpBufferSize: maxFrameBytes,
    // The engine puts the reason into its answer: an Error would become {}.
    allowRequest: (request) =>
      mayConnect(request) ? Promise.resolve() : Promise.reject('origin_not_allowed'),
    editResponseHeaders: (headers, request) => addCorsHeaders(headers, request, allowedOrigin),
  });
  const { clients, handshake } = engine as unknown as EngineInternals;
  const connections = createConnections({ clients, log, times: options.pingTimes });
  // Before Socket.IO's own listener: the guard is there for the first packet.
  engine.on('connection', (raw) => {
    const connection = raw as unknown as Connection;
    connections.add(connection);
    if (draining) closeConnection(connection);
  });

  const io = new SocketServer({
    connectTimeout: joinDeadlineMs,
    serveClient: false,
    path,
    adapter: nativeAdapter(publish),
  });
  io.bind(engine);
  // The default namespace is always there; it is refused like any other that is not /chat.
  io.use((_socket, next) => next(new Error('Invalid namespace')));

  const admitted = new WeakMap<Socket, Admitted>();
  /** Connections that have sent their CONNECT: a second one while the first is under way would make two sockets. */
  const joining = new WeakSet<Connection>();
  const chat = io.of('/chat');
  chat.use((socket, next) => {
    // Answered even so: Socket.IO holds a socket until its middleware says something, and of a closed one lets go.
    const turnAway = () => {
      closeConnection(socket.conn);
      next(new Error('closed'));
    };
    if (joining.has(socket.conn)) return turnAway();
    joining.add(socket.conn);
    connecting.admit(socket).then(
      (admission) => {
        admitted.set(socket, admission);
        next();
      },
      (error) => {
        joining.delete(socket.conn);
        const refused = connectRefusal(error);
        if (refused) return next(refused);
        log.warn({ err: error }, 'a socket could not be admitted; it is closed and comes back');
        turnAway();
      },
    );
  });
  /** One that has left the namespace has nothing more to do here. */
  function onLeave(this: Socket): void {
    closeConnection(this.conn);
  }
  function onConnection(socket: Socket): void {
    connections.joined(socket);
    socket.on('disconnect', onLeave);
    // Chats have rooms of their own; Socket.IO's, with the one of the socket's own id, would be two Sets a socket.
    chat.adapter.delAll(socket.id);
    const admission = admitted.get(socket);
    admitted.delete(socket);
    if (admission) connecting.goLive(admission);
  }
  chat.on('connection', (socket) => {
    try {
      onConnection(socket);
    } catch (error) {
      log.error({ err: error }, 'a socket could not go live and is closed');
      closeConnection(socket.conn);
    }
  });

  return {
    handles: (pathname) => pathname === '/socket.io' || pathname.startsWith(path),

    async fetch(request, server) {
      bun = server;
      const url = new URL(request.url);
      if (url.pathname !== path) return new Response(null, { status: 404 });
      if (request.method === 'OPTIONS') return preflight(request, allowedOrigin);
      const refused = refuseRequest(request, url);
      if (refused) return refused;
      if (!url.searchParams.has('sid') && (draining || connections.handshakes() >= mostHandshakes)) {
        return refusal(503, forbidden, 'server_busy', { 'Retry-After': '1' });
      }
      try {
        if (isWebSocketHandshake(request, url) && mayConnect(request)) {
          return await handshake.call(engine, request, server, url);
        }
        return await engine.handleRequest(request, server as never);
      } catch (error) {
        log.warn({ err: error }, 'a request could not be handled');
        return refusal(400, forbidden, 'Bad request');
      }
    },

    websocket: guardWebSocket(engine.handler().websocket, { backlogLimitBytes, maxFrameBytes, log }),
    idleTimeout: Math.ceil((2 * pingIntervalMs) / 1000),

    async drain(overMs = drainMs) {
      draining = true;
      compare.stop();
      await closeInSlices(connections.all(), overMs);
      connections.stop();
      await presence.leave();
    },

    ready: () => !draining,
  };
}
