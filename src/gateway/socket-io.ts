import { Server as Engine } from '@socket.io/bun-engine';
import { type Socket, Server as SocketServer } from 'socket.io';
import type { Logger } from '../shared/log.ts';
import type { Admitted, Connecting } from './connect.ts';
import type { Connection, Connections } from './connections.ts';
import { createEngineConnections, type EngineConn } from './engine-connections.ts';
import { forbidden, refusal, socketPath } from './http.ts';
import { joinDeadlineMs, maxFirstFrameBytes, pingIntervalMs, pingTimeoutMs } from './limits.ts';
import { nativeAdapter } from './native-adapter.ts';
import type { Publish } from './native-room.ts';
import { Probe } from './probe.ts';

/** Private to the engine. */
interface EngineInternals {
  clients: Map<string, EngineConn>;
}

export interface SocketIo {
  io: SocketServer;
  /** On long polling, or on a WebSocket that has taken its place; undefined for one that is not there. */
  session(sid: string): Connection | undefined;
  /** @param address of one that begins something: a session, or a WebSocket */
  fetch(request: Request, server: Bun.Server<never>, address?: string): Promise<Response>;
  websocket: ReturnType<Engine['handler']>['websocket'];
}

/** Socket.IO and its engine, for what begins with long polling, and what upgrades from it; for refusals, too. */
export function createSocketIo(deps: {
  connections: Connections;
  connecting: Connecting;
  publish: Publish;
  mayConnect: (request: Request) => boolean;
  draining: () => boolean;
  log: Logger;
}): SocketIo {
  const { connections, connecting, mayConnect, log } = deps;
  const engine = new Engine({
    path: socketPath,
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    maxHttpBufferSize: maxFirstFrameBytes,
    // The engine puts the reason into its answer: an Error would become {}.
    allowRequest: (request) =>
      mayConnect(request) ? Promise.resolve() : Promise.reject('origin_not_allowed'),
  });
  /** Of the requests that the engine has in hand. */
  const addresses = new WeakMap<Request, string>();
  const { clients } = engine as unknown as EngineInternals;
  const engineConnections = createEngineConnections({ connections, clients, log });
  // Before Socket.IO's own listener: the guard is there for the first packet.
  engine.on('connection', (conn, request) => {
    const address = addresses.get(request) ?? 'unknown';
    const connection = engineConnections.take(conn as unknown as EngineConn, address);
    if (deps.draining()) connection.close();
  });

  const io = new SocketServer({
    connectTimeout: joinDeadlineMs,
    serveClient: false,
    path: socketPath,
    adapter: nativeAdapter(deps.publish),
  });
  io.bind(engine);
  // The default namespace is always there; it is refused like any other that is not /chat.
  io.use((_socket, next) => next(new Error('Invalid namespace')));

  const admitted = new WeakMap<Socket, Admitted>();
  /** Those that have sent their CONNECT: a second one while the first is under way would make two sockets. */
  const joining = new WeakSet<Connection>();
  const chat = io.of('/chat');
  chat.use((socket, next) => {
    const connection = engineConnections.of(socket.conn);
    // Answered even so: Socket.IO holds a socket until its middleware says something, and of a closed one lets go.
    const turnAway = () => {
      connection?.close();
      next(new Error('closed'));
    };
    if (!connection || joining.has(connection)) return turnAway();
    joining.add(connection);
    connections.setBusy(connection, true);
    connecting.admit({ id: socket.id, connection, handshake: socket.handshake }).then(
      (admission) => {
        admitted.set(socket, admission);
        next();
      },
      (error) => {
        joining.delete(connection);
        connections.setBusy(connection, false);
        // Answered even if it is closed, as above.
        next(connections.turnAway(connection, error) ?? new Error('closed'));
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

  return {
    io,
    session(sid) {
      const conn = clients.get(sid);
      return conn && engineConnections.of(conn);
    },
    async fetch(request, server, address = 'unknown') {
      addresses.set(request, address);
      // All of the engine's WebSockets begin as probes: what is one from its beginning is served without it.
      const upgrade = (probing: Request, options: { data?: object }) =>
        server.upgrade(probing, {
          ...options,
          data: { ...options.data, probe: new Probe(connections, address) } as never,
        });
      try {
        return await engine.handleRequest(request, { upgrade } as never);
      } catch (error) {
        log.warn({ err: error }, 'a request could not be handled');
        return refusal(400, forbidden, 'Bad request');
      }
    },
    websocket: engine.handler().websocket,
  };
}
