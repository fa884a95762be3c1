import type { Server as SocketServer } from 'socket.io';
import type { Logger } from '../shared/log.ts';
import type { Connecting } from './connect.ts';
import type { Connections } from './connections.ts';
import { DirectConnection, type DirectSocket } from './direct-connection.ts';
import { maxFirstFrameBytes, pingIntervalMs, pingTimeoutMs } from './limits.ts';

/** Socket.IO protocol 5. */
const connect = 0;
const event = 2;
const ack = 3;

interface Packet {
  type: number;
  nsp: string;
  data?: Record<string, unknown>;
}

/** Private to Socket.IO: with it, what is a packet here is exactly what is one there. */
interface SocketServerInternals {
  _parser: { Decoder: new () => { decodeString(text: string): Packet } };
}

const opening = JSON.stringify({
  upgrades: [],
  pingInterval: pingIntervalMs,
  pingTimeout: pingTimeoutMs,
  maxPayload: maxFirstFrameBytes,
}).slice(1);

/** An attachment, as it is or in base64, or a packet of Socket.IO that promises some: they have no use here. */
const isBinary = (message: string | Uint8Array): boolean =>
  typeof message !== 'string' ||
  message[0] === 'b' ||
  (message[0] === '4' && (message[1] === '5' || message[1] === '6'));

export interface Direct {
  /** For a WebSocket handshake that may begin. @returns whether it is one: then the request has been answered */
  upgrade(request: Request, server: Bun.Server<never>, address: string): boolean;
  open(connection: DirectConnection, ws: DirectSocket): void;
  message(connection: DirectConnection, message: string | Uint8Array): void;
  close(connection: DirectConnection): void;
}

/**
 * The server's side of Engine.IO 4 and Socket.IO 5 for a connection that is a WebSocket from the beginning and joins `/chat`:
 * an opening, a CONNECT and its answer, pings, and events that nobody listens to. Socket.IO and its engine take 80 of 120 µs
 * of processor time a connect for it and keep 9 KB of objects, of which this needs one. Two writes carry what took five: the
 * opening goes with the answer to the upgrade, `chat.ready` with the answer to CONNECT. Long polling, and what upgrades from
 * it, is the engine's. Measured by `bun run bench connect`.
 */
export function createDirect(deps: {
  io: SocketServer;
  connections: Connections;
  connecting: Connecting;
  log: Logger;
}): Direct {
  const { connections, connecting, log } = deps;
  const decoder = new (deps.io as unknown as SocketServerInternals)._parser.Decoder();

  async function join(connection: DirectConnection, auth: Record<string, unknown>): Promise<void> {
    connection.stage = 'joining';
    connections.setBusy(connection, true);
    const id = crypto.randomUUID();
    try {
      const { authorization } = connection;
      const admitted = await connecting.admit({
        id,
        connection,
        handshake: { auth, headers: { authorization } },
      });
      if (connection.closed) return;
      connection.stage = 'joined';
      connection.authorization = undefined;
      connections.joined(connection);
      connection.ws?.cork(() => {
        connection.send(`40/chat,{"sid":"${id}"}`);
        connecting.goLive(admitted);
      });
    } catch (error) {
      if (connection.closed) return;
      if (connection.stage !== 'joining') {
        log.warn({ err: error }, 'a socket could not go live and is closed');
        return connection.close();
      }
      const refused = connections.turnAway(connection, error);
      if (!refused) return;
      connection.stage = 'new';
      connections.setBusy(connection, false);
      connection.send(`44/chat,${JSON.stringify({ message: refused.message, data: refused.data })}`);
    }
  }

  function receive(connection: DirectConnection, { type, nsp, data }: Packet): void {
    if (type === connect && nsp !== '/chat') {
      connection.send(`44${nsp === '/' ? '' : `${nsp},`}{"message":"Invalid namespace"}`);
    } else if (type === connect && connection.stage === 'new') {
      void join(connection, data ?? {});
    } else if (nsp !== '/chat' || connection.stage !== 'joined' || (type !== event && type !== ack)) {
      connection.close();
    }
    // Clients only listen: events they send end here.
  }

  return {
    upgrade(request, server, address) {
      const authorization = request.headers.get('authorization') ?? undefined;
      const data = new DirectConnection(connections, address, authorization);
      return server.upgrade(request, { data: data as never });
    },

    open(connection, ws) {
      connection.ws = ws;
      connections.add(connection);
      ws.send(`0{"sid":"${crypto.randomUUID()}",${opening}`);
    },

    message(connection, message) {
      if (connection.closed || !connections.mayReceive(connection, message)) return;
      if (typeof message === 'string' && message[0] === '3') return connections.onPong(connection);
      if (typeof message !== 'string' || isBinary(message)) {
        return connection.stage === 'joined' ? connections.ignoreBinary(connection) : connection.close();
      }
      if (message[0] !== '4' || message.length === 1) return connection.close();
      let packet: Packet;
      try {
        packet = decoder.decodeString(message.slice(1));
      } catch {
        // Not Socket.IO.
        return connection.close();
      }
      receive(connection, packet);
    },

    close(connection) {
      connections.remove(connection);
    },
  };
}
