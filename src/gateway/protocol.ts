import { Decoder, type Packet, PacketType } from 'socket.io-parser';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import type { Connecting } from './connect.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { maxFirstFrameBytes, pingIntervalMs, pingTimeoutMs } from './limits.ts';

/** The first packet of a connection. @param upgrades transports that it may go over to */
export function openPacket(sid: string, upgrades: string[]): string {
  const times = { pingInterval: pingIntervalMs, pingTimeout: pingTimeoutMs };
  return `0${JSON.stringify({ sid, upgrades, ...times, maxPayload: maxFirstFrameBytes })}`;
}

/** An attachment, as it is or in base64, or a packet of Socket.IO that promises some: they have no use here. */
const isBinary = (message: string | Uint8Array): boolean =>
  typeof message !== 'string' ||
  message[0] === 'b' ||
  (message[0] === '4' && (message[1] === '5' || message[1] === '6'));

export interface Protocol {
  /** One Engine.IO packet of the client's. */
  receive(connection: Connection, packet: string | Uint8Array): void;
}

/**
 * The server's side of Engine.IO 4 and Socket.IO 5, by whatever transport, for clients that only listen: a CONNECT and its answer,
 * pongs, and events that nobody listens to. Socket.IO and its engine take 80 of 120 µs of processor time a connect for it and keep
 * 9 KB of objects, of which this needs one. Measured by `bun run bench connect`.
 */
export function createProtocol(deps: {
  connections: Connections;
  connecting: Connecting;
  log: Logger;
}): Protocol {
  const { connections, connecting, log } = deps;
  const decoder = new Decoder();
  /** What the decoder has just been given. */
  let decoded: Packet | undefined;
  decoder.on('decoded', (packet: Packet) => {
    decoded = packet;
  });

  async function join(connection: Connection, auth: Record<string, unknown>): Promise<void> {
    connection.stage = 'joining';
    connections.setBusy(connection, true);
    const id = newId();
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
      connection.cork(() => {
        connection.send(`40/chat,{"sid":"${id}"}`);
        connecting.goLive(admitted);
      });
    } catch (error) {
      if (connection.closed) return;
      if (connection.stage !== 'joining') {
        log.warn({ err: error }, 'a socket could not go live and is closed');
        return connection.close('error');
      }
      const refused = connections.turnAway(connection, error);
      if (!refused) return;
      connection.stage = 'new';
      connections.setBusy(connection, false);
      connection.send(`44/chat,${JSON.stringify({ message: refused.message, data: refused.data })}`);
    }
  }

  function receivePacket(connection: Connection, { type, nsp, data }: Packet): void {
    if (type === PacketType.CONNECT && nsp !== '/chat') {
      connection.send(`44${nsp === '/' ? '' : `${nsp},`}{"message":"Invalid namespace"}`);
    } else if (type === PacketType.CONNECT && connection.stage === 'new') {
      void join(connection, data ?? {});
    } else if (
      nsp !== '/chat' ||
      connection.stage !== 'joined' ||
      (type !== PacketType.EVENT && type !== PacketType.ACK)
    ) {
      connection.close(type === PacketType.DISCONNECT ? 'client' : 'packets');
    }
    // Clients only listen: events they send end here.
  }

  /** Undefined for what is none of Socket.IO's. */
  function decode(text: string): Packet | undefined {
    decoded = undefined;
    try {
      decoder.add(text);
    } catch {
      return undefined;
    }
    return decoded;
  }

  return {
    receive(connection, packet) {
      if (connection.closed || !connections.mayReceive(connection, packet)) return;
      if (typeof packet === 'string' && packet[0] === '3') return connections.onPong(connection);
      if (typeof packet !== 'string' || isBinary(packet)) {
        return connection.stage === 'joined'
          ? connections.ignoreBinary(connection)
          : connection.close('packets');
      }
      const inner = packet[0] === '4' && packet.length > 1 ? decode(packet.slice(1)) : undefined;
      if (inner) receivePacket(connection, inner);
      else connection.close('packets');
    },
  };
}
