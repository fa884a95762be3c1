import type { Socket } from 'socket.io';
import type { Logger } from '../shared/log.ts';
import { fullPacketBudget, type PacketBudget, pingIntervalMs, pingTimeoutMs, takePacket } from './limits.ts';
import { closeConnection, type Member } from './member.ts';
import { createSlimming } from './slim.ts';

export type Connection = Socket['conn'];

interface Packet {
  type: string;
  data?: unknown;
}

/** What is touched of the engine's socket; most of it is private, but looked up at every use. */
interface EngineSocket {
  id: string;
  readyState: string;
  onPacket(packet: Packet): void;
  sendPacket(type: 'ping'): void;
  pingIntervalTimer: ReturnType<typeof setTimeout> | undefined;
  on(event: 'close' | 'upgrade', listener: () => void): unknown;
  off(event: 'close'): unknown;
}

/** In milliseconds. */
export interface PingTimes {
  intervalMs: number;
  timeoutMs: number;
  /** How often connections are looked at: pings and ends of tokens are as late as this. */
  sweepMs: number;
}

const defaultTimes: PingTimes = { intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs, sweepMs: 1_000 };

/** `2` CONNECT 0, DISCONNECT 1, EVENT 2, ACK 3, and CONNECT_ERROR 4: those with attachments have no use here. */
const binaryPacket = /^[56]/;
const isTextPacket = (data: unknown): boolean => typeof data === 'string' && !binaryPacket.test(data);

/** What a connection has used up; times are of `performance.now()`. */
class ConnectionState implements PacketBudget {
  budget = fullPacketBudget;
  countedAt: number;
  pingAt: number;
  /** 0 while no ping is unanswered. */
  pingedAt = 0;
  /** Once it is in `/chat`. */
  socket: Socket | undefined = undefined;
  member: Member | undefined = undefined;
  depart: ((member: Member) => void) | undefined = undefined;

  constructor(now: number, pingAt: number) {
    this.countedAt = now;
    this.pingAt = pingAt;
  }
}

export interface Connections {
  /** Takes over what the engine has just made, before anybody has listened to it. */
  add(connection: Connection): void;
  /** It is in `/chat`: no handshake any more. */
  joined(socket: Socket): void;
  /** Calls `depart` with the one member that a connection carries when it is closed. @returns false if it is already */
  carry(connection: Connection, member: Member, depart: (member: Member) => void): boolean;
  /** How many have not joined `/chat`. */
  handshakes(): number;
  all(): ReadonlyMap<Connection, unknown>;
  /** Ends the pings. */
  stop(): void;
}

/**
 * Stands before all that clients send, on either transport, and pings them. Too many packets, binary ones, or an error in
 * handling one close the connection; a pong that nobody asked for is dropped, as the engine would start a timer for it.
 *
 * The engine keeps timers, closures and, through them, the whole request for each connection. Here a connection is a few
 * numbers, and one timer looks after all: at 10,000 sockets that is 4 KB less for each, and a sweep takes half a millisecond.
 */
export function createConnections(deps: {
  /** The engine's own list. */
  clients: Map<string, unknown>;
  log: Logger;
  times?: PingTimes | undefined;
}): Connections {
  const { clients, log, times = defaultTimes } = deps;
  const states = new Map<Connection, ConnectionState>();
  const { slim, receive } = createSlimming();
  let handshakes = 0;

  // Functions for all connections, which are their `this`.
  function onPacket(this: EngineSocket, packet: Packet): void {
    const connection = this as unknown as Connection;
    const state = states.get(connection);
    if (!state || this.readyState !== 'open') return;
    const now = performance.now();
    if (!takePacket(state, now)) {
      log.info('a connection sends too much and is closed');
      closeConnection(connection);
      return;
    }
    if (packet.type === 'pong') {
      if (state.pingedAt === 0) return;
      state.pingedAt = 0;
      state.pingAt = now + times.intervalMs;
      return;
    }
    if (packet.type === 'message' && !isTextPacket(packet.data)) {
      closeConnection(connection);
      return;
    }
    try {
      if (!receive(connection, packet)) Object.getPrototypeOf(this).onPacket.call(this, packet);
    } catch (error) {
      log.warn({ err: error }, 'a packet could not be handled; its connection is closed');
      closeConnection(connection);
    }
  }

  function onClose(this: EngineSocket): void {
    const connection = this as unknown as Connection;
    clients.delete(this.id);
    const state = states.get(connection);
    if (!state) return;
    states.delete(connection);
    if (!state.socket) handshakes -= 1;
    if (state.member) state.depart?.(state.member);
  }

  function onUpgrade(this: EngineSocket): void {
    const socket = states.get(this as unknown as Connection)?.socket;
    if (socket) slim(socket, onClose);
  }

  function ping(connection: Connection, { member }: ConnectionState): void {
    // As it is on a WebSocket; the engine would make a packet and three events of it.
    if (member?.ws) member.ws.send('2');
    else (connection as unknown as EngineSocket).sendPacket('ping');
  }

  function sweep(): void {
    const now = performance.now();
    const epochSeconds = Date.now() / 1000;
    for (const [connection, state] of states) {
      if (state.member && state.member.expiresAt <= epochSeconds) {
        closeConnection(connection);
      } else if (state.pingedAt !== 0) {
        if (now - state.pingedAt >= times.timeoutMs) closeConnection(connection);
      } else if (now >= state.pingAt) {
        state.pingedAt = now;
        ping(connection, state);
      }
    }
  }
  const timer = setInterval(() => {
    try {
      sweep();
    } catch (error) {
      log.error({ err: error }, 'connections could not be looked after');
    }
  }, times.sweepMs);

  return {
    add(connection) {
      const raw = connection as unknown as EngineSocket;
      clearTimeout(raw.pingIntervalTimer);
      raw.pingIntervalTimer = undefined;
      // The engine's own listener, alone so far, holds the request; `onClose` does its work.
      raw.off('close');
      raw.on('close', onClose);
      if (connection.transport.name === 'polling') raw.on('upgrade', onUpgrade);
      raw.onPacket = onPacket;
      const now = performance.now();
      states.set(connection, new ConnectionState(now, now + times.intervalMs));
      handshakes += 1;
    },
    joined(socket) {
      const state = states.get(socket.conn);
      if (!state || state.socket) return;
      state.socket = socket;
      handshakes -= 1;
      slim(socket, onClose);
    },
    carry(connection, member, depart) {
      const state = states.get(connection);
      if (!state) return false;
      state.member = member;
      state.depart = depart;
      return true;
    },
    handshakes: () => handshakes,
    all: () => states,
    stop: () => clearInterval(timer),
  };
}
