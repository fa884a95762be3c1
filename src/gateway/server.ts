import { Server as Engine } from '@socket.io/bun-engine';
import { type Socket, Server as SocketServer } from 'socket.io';
import { addressOf } from '../api/middleware/address.ts';
import type { Database } from '../db/database.ts';
import type { Logger } from '../shared/log.ts';
import type { Subscriber } from '../shared/notifications/notifications.ts';
import type { Presence } from '../shared/presence/presence.ts';
import { createReadPage } from './change.ts';
import { createChatOf } from './chats.ts';
import { createComparison } from './comparison.ts';
import { type Admitted, createConnecting, type VerifySocketToken } from './connect.ts';
import { type Connection, createConnections, type HandshakeLimits, type PingTimes } from './connections.ts';
import { createDirect } from './direct.ts';
import { closeInSlices } from './drain.ts';
import { backlogLimitBytes, createEngineConnections, type EngineConn } from './engine-connections.ts';
import { createFanOut } from './fan-out.ts';
import { addCorsHeaders, isWebSocketHandshake, preflight, refusal, refuseRequest } from './http.ts';
import {
  joinDeadlineMs,
  maxFrameBytes,
  mostHandshakes,
  mostHandshakesOfAddress,
  pingIntervalMs,
  pingTimeoutMs,
} from './limits.ts';
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
  /** Whether the last entry of X-Forwarded-For is the client's address, because a proxy of ours wrote it. */
  trustProxy: boolean;
  /** Connections that have not joined `/chat` yet; beyond that new ones are sent away for a second. */
  handshakeLimits?: HandshakeLimits;
  /** The longest time between two comparisons of what is local with PostgreSQL, in milliseconds. */
  comparisonMs?: number;
  /** How often clients are asked whether they are there; those of `limits.ts` otherwise. */
  pingTimes?: PingTimes;
}

/** What `Bun.serve` needs, alone or beside the api's app on one port. */
export interface Gateway {
  handles(path: string): boolean;
  /** An upgrade is answered by Bun: what is returned then is not looked at. */
  fetch(request: Request, server: Bun.Server<never>): Response | Promise<Response>;
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
const badRequest = 3;
const forbidden = 4;
/** Of a request that has been upgraded. */
const upgraded = new Response(null);
const drainMs = 3_000;

/** Private to the engine. */
interface EngineInternals {
  clients: Map<string, unknown>;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { database, subscriber, allowedOrigin, trustProxy, log } = options;
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
  const connections = createConnections({
    limits: options.handshakeLimits ?? { most: mostHandshakes, mostOfAddress: mostHandshakesOfAddress },
    log,
    times: options.pingTimes,
  });
  const { clients } = engine as unknown as EngineInternals;
  const engineConnections = createEngineConnections({ connections, clients, log });
  // Before Socket.IO's own listener: the guard is there for the first packet.
  engine.on('connection', (conn, request, server) => {
    const address = addressOf(request, server as never, trustProxy);
    const connection = engineConnections.take(conn as unknown as EngineConn, address);
    if (draining) connection.close();
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
  /** Those that have sent their CONNECT: a second one while the first is under way would make two sockets. */
  const joining = new WeakSet<Connection>();
  const chat = io.of('/chat');
  chat.use((socket, next) => {
    // Answered even so: Socket.IO holds a socket until its middleware says something, and of a closed one lets go.
    const connection = engineConnections.of(socket.conn);
    const turnAway = () => {
      connection?.close();
      next(new Error('closed'));
    };
    if (!connection || joining.has(connection)) return turnAway();
    joining.add(connection);
    connecting.admit({ id: socket.id, connection, handshake: socket.handshake }).then(
      (admission) => {
        admitted.set(socket, admission);
        next();
      },
      (error) => {
        joining.delete(connection);
        const refused = connectRefusal(error);
        if (refused) return next(refused);
        log.warn({ err: error }, 'a socket could not be admitted; it is closed and comes back');
        turnAway();
      },
    );
  });
  /** One that has left the namespace has nothing more to do here. */
  function onLeave(this: Socket): void {
    engineConnections.of(this.conn)?.close();
  }
  function onConnection(socket: Socket): void {
    engineConnections.joined(socket);
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
      engineConnections.of(socket.conn)?.close();
    }
  });

  const direct = createDirect({ io, connections, connecting, log });

  async function byEngine(request: Request, server: Bun.Server<never>): Promise<Response> {
    try {
      return await engine.handleRequest(request, server as never);
    } catch (error) {
      log.warn({ err: error }, 'a request could not be handled');
      return refusal(400, forbidden, 'Bad request');
    }
  }

  return {
    handles: (pathname) => pathname === '/socket.io' || pathname.startsWith(path),

    fetch(request, server) {
      bun = server;
      const url = new URL(request.url);
      if (url.pathname !== path) return new Response(null, { status: 404 });
      if (request.method === 'OPTIONS') return preflight(request, allowedOrigin);
      const refused = refuseRequest(request, url);
      if (refused) return refused;
      if (url.searchParams.has('sid')) return byEngine(request, server);
      const address = addressOf(request, server, trustProxy);
      if (draining || !connections.mayBegin(address)) {
        return refusal(503, forbidden, 'server_busy', { 'Retry-After': '1' });
      }
      if (!isWebSocketHandshake(request, url) || !mayConnect(request)) return byEngine(request, server);
      // An upgrade that Bun does not take, for want of a key, say.
      return direct.upgrade(request, server, address) ? upgraded : refusal(400, badRequest, 'Bad request');
    },

    websocket: guardWebSocket(engine.handler().websocket, direct, { backlogLimitBytes, maxFrameBytes, log }),
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
