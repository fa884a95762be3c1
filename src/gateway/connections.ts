import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import { createRepeats } from '../shared/repeats.ts';
import { createHandshakes, type Handshake, type HandshakeLimits } from './handshakes.ts';
import {
  backlogLimitBytes,
  firstPacketMs,
  fullPacketBudget,
  isLarge,
  joinDeadlineMs,
  lookEveryBytes,
  mostBacklogBytes,
  type PacketBudget,
  pingIntervalMs,
  pingTimeoutMs,
  takePacket,
} from './limits.ts';
import type { Member } from './member.ts';
import type { NativeSocket } from './native-room.ts';
import { type ConnectRefusal, connectRefusal } from './refuse.ts';

/**
 * One client's transport, whether the engine serves it or nobody but us, with what it has used up; times are of
 * `performance.now()`. A class, and few fields: there are a hundred thousand of them.
 */
export abstract class Connection implements PacketBudget {
  budget = fullPacketBudget;
  countedAt = performance.now();
  pingAt = 0;
  /** 0 while no ping is unanswered. */
  pingedAt = 0;
  closed = false;
  /** Until it has joined `/chat`. */
  handshake: Handshake | undefined;
  #member: Member | undefined = undefined;
  #depart: ((member: Member) => void) | undefined = undefined;

  constructor(address: string) {
    this.handshake = { address, beganAt: this.countedAt, upgrades: false, busy: false, places: undefined };
  }

  /** Bun's own socket; undefined while the connection is on long polling, or on its way to WebSocket. */
  abstract readonly ws: NativeSocket | undefined;
  /** One Engine.IO message. */
  abstract send(frame: string): void;
  abstract ping(): void;
  /** Calls back when there is a native socket, before anything is sent over it. */
  abstract onNative(callback: (ws: NativeSocket | undefined) => void): void;
  /** Bytes that are held for a client that does not fetch them. */
  abstract readonly backlog: number;
  /**
   * Closes the transport at once, not the namespace: a plain client comes back by itself. What was not written is
   * dropped.
   */
  abstract close(): void;

  /** Calls `depart` with the one member that the connection carries when it is closed. @returns false if it is already */
  carry(member: Member, depart: (member: Member) => void): boolean {
    if (this.closed) return false;
    this.#member = member;
    this.#depart = depart;
    return true;
  }

  /** Not a packet has come yet. */
  get silent(): boolean {
    return this.budget === fullPacketBudget;
  }

  /** To be called once. */
  leave(): void {
    this.closed = true;
    if (this.#member) this.#depart?.(this.#member);
  }

  expired(epochSeconds: number): boolean {
    return this.#member !== undefined && this.#member.expiresAt <= epochSeconds;
  }
}

/** In milliseconds. */
export interface PingTimes {
  intervalMs: number;
  timeoutMs: number;
  /** How often connections are looked at: pings and ends of tokens are as late as this. */
  sweepMs: number;
}

const defaultTimes: PingTimes = { intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs, sweepMs: 1_000 };

export interface Connections {
  /** Makes room for one more handshake from this address. @returns false when there is none */
  mayBegin(address: string): boolean;
  add(connection: Connection): void;
  /** Whether its CONNECT is being looked at: it is not closed to make room then. */
  setBusy(connection: Connection, busy: boolean): void;
  /** It is in `/chat`: no handshake any more. */
  joined(connection: Connection): void;
  /** It is closed; its member departs. */
  remove(connection: Connection): void;
  /** @returns false when the client sends too much, or too large a frame: the connection is closed */
  mayReceive(connection: Connection, frame: unknown): boolean;
  /**
   * Its CONNECT has failed.
   * @returns what to answer, if it is about the client itself; undefined once the connection is closed, and comes back
   */
  turnAway(connection: Connection, error: unknown): ConnectRefusal | undefined;
  /** Clients only listen: what a program emits by mistake ends here. Told in the log, for its author to find. */
  ignoreBinary(connection: Connection): void;
  /** The answer to a ping; one that nobody asked for is dropped, as the engine would start a timer for it. */
  onPong(connection: Connection): void;
  /** So many bytes have gone out to whoever listens to a topic, which says nothing of who does not read. */
  published(bytes: number): void;
  all(): ReadonlySet<Connection>;
  /** Ends the pings. */
  stop(): void;
}

/** What happened to some connections; of one of them the address. */
interface Found {
  level: 'info' | 'warn';
  message: string;
  address?: string | undefined;
  code?: string | undefined;
  reason?: string | undefined;
}

/**
 * Counts the connections and looks after them, with one timer for all of them: pings, ends of tokens, and handshakes that
 * lead nowhere. At 10,000 sockets a sweep takes half a millisecond.
 */
export function createConnections(deps: {
  limits: HandshakeLimits;
  log: Logger;
  times?: PingTimes | undefined;
  /** Bytes that may be held for all clients together. */
  mostBacklog?: number;
}): Connections {
  const { limits, log, times = defaultTimes, mostBacklog = mostBacklogBytes } = deps;
  const connections = new Set<Connection>();
  /** Since backlog was looked for. */
  let publishedBytes = 0;
  /** A line for each connection would be as many as an attacker likes. */
  const repeats = createRepeats();
  const tell = ({ level, message, ...fields }: Found) =>
    repeats(`${fields.code} ${message}`, (connections) => log[level]({ connections, ...fields }, message));
  const handshakes = createHandshakes(limits, (address) => {
    tell({
      level: 'warn',
      message: 'connections that waited for their clients were closed to make room',
      address,
    });
  });

  function sweep(): void {
    const now = performance.now();
    const epochSeconds = Date.now() / 1000;
    dropBacklog();
    for (const connection of connections) {
      try {
        lookAfter(connection, now, epochSeconds);
      } catch (error) {
        log.error({ err: error }, 'a connection could not be looked after');
      }
    }
  }

  /** Whoever holds too much is closed, and where all together do, those with the most. */
  function dropBacklog(): void {
    publishedBytes = 0;
    let held = 0;
    // At 10,000 sockets it takes a millisecond to ask them.
    for (const connection of connections) {
      const { backlog } = connection;
      if (backlog > backlogLimitBytes) end(connection);
      else held += backlog;
    }
    if (held <= mostBacklog) return;
    const fullest = [...connections]
      .map((connection) => ({ connection, backlog: connection.backlog }))
      .sort((a, b) => b.backlog - a.backlog);
    for (const { connection, backlog } of fullest) {
      if (held <= mostBacklog) return;
      held -= backlog;
      tell({
        level: 'warn',
        message: 'connections that do not read were closed: too much is held for all',
      });
      end(connection);
    }
  }

  function end(connection: Connection): void {
    try {
      connection.close();
    } catch (error) {
      log.error({ err: error }, 'a connection could not be closed');
    }
  }

  function lookAfter(connection: Connection, now: number, epochSeconds: number): void {
    if (connection.expired(epochSeconds) || isLate(connection, now)) connection.close();
    else pingIfDue(connection, now);
  }

  function isLate({ handshake, silent }: Connection, now: number): boolean {
    if (!handshake) return false;
    return now - handshake.beganAt >= (silent && !handshake.upgrades ? firstPacketMs : joinDeadlineMs);
  }

  function pingIfDue(connection: Connection, now: number): void {
    if (connection.pingedAt !== 0) {
      if (now - connection.pingedAt >= times.timeoutMs) connection.close();
    } else if (now >= connection.pingAt) {
      connection.pingedAt = now;
      connection.ping();
    }
  }

  const timer = setInterval(sweep, times.sweepMs);

  return {
    mayBegin(address) {
      try {
        return handshakes.makeRoom(address);
      } catch (error) {
        log.error({ err: error }, 'a connection could not be closed to make room');
        return false;
      }
    },

    add(connection) {
      connections.add(connection);
      connection.pingAt = connection.countedAt + times.intervalMs;
      handshakes.add(connection);
    },

    setBusy({ handshake }, busy) {
      if (handshake) handshake.busy = busy;
    },
    joined: handshakes.delete,

    remove(connection) {
      if (!connections.delete(connection)) return;
      handshakes.delete(connection);
      connection.leave();
    },

    mayReceive(connection, frame) {
      const fits = connection.silent || !isLarge(frame);
      if (fits && takePacket(connection, frame, performance.now())) return true;
      const address = connection.handshake?.address;
      tell({ level: 'info', message: 'connections sent too much and were closed', address });
      connection.close();
      return false;
    },

    turnAway(connection, error) {
      const address = connection.handshake?.address;
      const refusal = connectRefusal(error);
      if (refusal) {
        tell({ level: 'info', message: 'sockets were refused', address, code: refusal.data.code });
        return refusal;
      }
      const message = 'sockets could not be admitted; they are closed and come back';
      if (error instanceof ChatError) {
        const reason = error.cause === undefined ? undefined : reasonOf(error.cause);
        tell({ level: 'warn', message, address, code: error.code, reason });
      } else {
        log.warn({ err: error }, message);
      }
      connection.close();
      return undefined;
    },

    ignoreBinary() {
      tell({ level: 'info', message: 'connections sent binary packets, to which nobody listens' });
    },

    onPong(connection) {
      if (connection.pingedAt === 0) return;
      connection.pingedAt = 0;
      connection.pingAt = performance.now() + times.intervalMs;
    },

    published(bytes) {
      const before = publishedBytes;
      publishedBytes += bytes;
      // Not at once: it is written at the end of the turn, and whoever publishes is in the midst of a room.
      if (before < lookEveryBytes && publishedBytes >= lookEveryBytes) setImmediate(dropBacklog);
    },

    all: () => connections,
    stop: () => clearInterval(timer),
  };
}
