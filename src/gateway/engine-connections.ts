import type { Socket } from 'socket.io';
import type { Logger } from '../shared/log.ts';
import { Connection, type Connections } from './connections.ts';
import { backlogLimitBytes } from './limits.ts';
import type { NativeSocket } from './native-room.ts';
import { endNow, nativeSocketOf } from './native-socket.ts';
import type { EngineSocketData } from './probe.ts';
import { createSlimming } from './slim.ts';

export type EngineConn = Socket['conn'];

interface Packet {
  type: string;
  data?: unknown;
}

/** What is touched of the engine's socket; most of it is private, but looked up at every use. */
interface EngineSocket {
  id: string;
  readyState: string;
  writeBuffer: unknown[];
  transport: { writable: boolean; send(packets: Packet[]): void };
  onPacket(packet: Packet): void;
  sendPacket(type: 'ping'): void;
  pingIntervalTimer: ReturnType<typeof setTimeout> | undefined;
  on(event: 'close' | 'upgrade' | 'drain', listener: () => void): unknown;
  on(event: 'packetCreate', listener: (packet: Packet) => void): unknown;
  off(event: 'close'): unknown;
}

/** Socket.IO's packets with attachments have no use here, nor have the attachments. */
const binaryPacket = /^[56]/;
const isBinary = (data: unknown): boolean => typeof data !== 'string' || binaryPacket.test(data);

/** A connection that began with long polling; it may be a WebSocket by now. */
class EngineConnection extends Connection {
  readonly #conn: EngineConn;
  /** Once it is in `/chat`. */
  socket: Socket | undefined = undefined;
  /** Characters held since the last poll. */
  #backlog = 0;

  constructor(conn: EngineConn, address: string) {
    super(address);
    this.#conn = conn;
  }

  /** Of whatever is to be sent: Socket.IO's own answers wait for the next poll like ours. */
  hold(length: number): void {
    if (this.#conn.transport.writable) return;
    this.#backlog += length;
    if (this.#backlog > backlogLimitBytes) this.close();
  }

  fetched(): void {
    this.#backlog = 0;
  }

  get ws(): NativeSocket | undefined {
    return nativeSocketOf(this.#conn);
  }

  onNative(callback: (ws: NativeSocket | undefined) => void): void {
    // The engine writes what it holds right after this, before anybody else can.
    this.#conn.once('upgrade', () => callback(this.ws));
  }

  send(frame: string): void {
    // The engine prefixes the type of its own packet.
    this.#conn.write(frame.slice(1));
  }

  ping(): void {
    // As it is on a WebSocket; the engine would make a packet and three events of it.
    const { ws } = this;
    if (ws) ws.send('2');
    else (this.#conn as unknown as EngineSocket).sendPacket('ping');
  }

  get backlog(): number {
    return this.ws?.getBufferedAmount() ?? this.#backlog;
  }

  close(): void {
    const conn = this.#conn;
    const { transport } = conn as unknown as EngineSocket;
    // `close()` of the engine waits until what it holds is fetched, which a client that is gone never does.
    (conn as unknown as EngineSocket).writeBuffer = [];
    if (this.ws) endNow(this.ws);
    // A poll that waits would be answered with the end of the connection, which python-socketio takes for the end of everything.
    // Of a session that is unknown, as its next one says, every client comes back.
    else if (transport.writable) transport.send([{ type: 'noop' }]);
    conn.close();
  }
}

export interface EngineConnections {
  /** Takes over what the engine has just made, before anybody has listened to it. */
  take(conn: EngineConn, address: string): Connection;
  /** Undefined once it is closed. */
  of(conn: EngineConn): Connection | undefined;
  /** The socket is in `/chat`: what its connect needed is forgotten. */
  joined(socket: Socket): void;
}

/**
 * Stands before all that clients send by way of the engine, on either transport. Too many packets, or an error in handling one,
 * close the connection.
 *
 * The engine keeps timers, closures and, through them, the whole request for each connection. Here a connection is a few
 * numbers: at 10,000 sockets that is 4 KB less for each.
 */
export function createEngineConnections(deps: {
  connections: Connections;
  /** The engine's own list. */
  clients: Map<string, unknown>;
  log: Logger;
}): EngineConnections {
  const { connections, clients, log } = deps;
  const states = new Map<EngineConn, EngineConnection>();
  const { slim, receive } = createSlimming();

  // Functions for all connections, which are their `this`.
  function onPacket(this: EngineSocket, packet: Packet): void {
    const conn = this as unknown as EngineConn;
    const connection = states.get(conn);
    if (!connection || this.readyState !== 'open' || !connections.mayReceive(connection, packet.data)) return;
    if (packet.type === 'pong') {
      connections.onPong(connection);
      return;
    }
    try {
      if (packet.type === 'message' && isBinary(packet.data)) {
        if (connection.socket && packet.data !== undefined) connections.ignoreBinary(connection);
        else connection.close();
      } else if (!receive(conn, packet)) Object.getPrototypeOf(this).onPacket.call(this, packet);
    } catch (error) {
      log.warn({ err: error }, 'a packet could not be handled; its connection is closed');
      connection.close();
    }
  }

  function onClose(this: EngineSocket): void {
    const conn = this as unknown as EngineConn;
    clients.delete(this.id);
    const connection = states.get(conn);
    if (!connection) return;
    states.delete(conn);
    connections.remove(connection);
  }

  function onPacketCreate(this: EngineSocket, { data }: Packet): void {
    states.get(this as unknown as EngineConn)?.hold(typeof data === 'string' ? data.length : 0);
  }

  function onDrain(this: EngineSocket): void {
    states.get(this as unknown as EngineConn)?.fetched();
  }

  function onUpgrade(this: EngineSocket): void {
    const { data } = nativeSocketOf(this as unknown as EngineConn) as unknown as { data: EngineSocketData };
    if (data.probe) connections.remove(data.probe);
    data.probe = undefined;
    const socket = states.get(this as unknown as EngineConn)?.socket;
    if (socket) slim(socket, onClose);
  }

  return {
    take(conn, address) {
      const raw = conn as unknown as EngineSocket;
      clearTimeout(raw.pingIntervalTimer);
      raw.pingIntervalTimer = undefined;
      // The engine's own listener, alone so far, holds the request; `onClose` does its work.
      raw.off('close');
      raw.on('close', onClose);
      raw.on('upgrade', onUpgrade);
      raw.on('packetCreate', onPacketCreate);
      raw.on('drain', onDrain);
      raw.onPacket = onPacket;
      const connection = new EngineConnection(conn, address);
      states.set(conn, connection);
      connections.add(connection);
      return connection;
    },

    of: (conn) => states.get(conn),

    joined(socket) {
      const connection = states.get(socket.conn);
      if (!connection || connection.socket) return;
      connection.socket = socket;
      connections.joined(connection);
      slim(socket, onClose);
    },
  };
}
