import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import { createRepeats } from '../shared/repeats.ts';
import type { Connection } from './connection.ts';
import type { ConnectionMetrics, EndReason } from './connection-metrics.ts';
import { createHandshakes, type HandshakeLimits } from './handshakes.ts';
import {
  backlogLimitBytes,
  firstPacketMs,
  isLarge,
  joinDeadlineMs,
  lookEveryBytes,
  mostBacklogBytes,
  pingIntervalMs,
  pingTimeoutMs,
  takePacket,
} from './limits.ts';
import { type ConnectRefusal, connectRefusal } from './refuse.ts';

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
  remove(connection: Connection, reason?: EndReason): void;
  /** @returns false when the client sends too much, or too large a frame: the connection is closed */
  mayReceive(connection: Connection, frame: string | Uint8Array): boolean;
  /**
   * Its CONNECT has failed.
   * @returns what to answer, if it is about the client itself; undefined once the connection is closed, and comes back
   */
  turnAway(connection: Connection, error: unknown): ConnectRefusal | undefined;
  /** Clients only listen: what a program emits by mistake ends here. Told in the log, for its author to find. */
  ignoreBinary(connection: Connection): void;
  /** The answer to a ping; one that nobody asked for is dropped. */
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
  measured: ConnectionMetrics;
  log: Logger;
  times?: PingTimes | undefined;
  /** Bytes that may be held for all clients together. */
  mostBacklog?: number;
}): Connections {
  const { limits, log, times = defaultTimes, mostBacklog = mostBacklogBytes } = deps;
  const { measured } = deps;
  const connections = new Set<Connection>();
  measured.watch(connections);
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
    let most = 0;
    // At 10,000 sockets it takes a millisecond to ask them.
    for (const connection of connections) {
      const { backlog } = connection;
      most = Math.max(most, backlog);
      if (backlog > backlogLimitBytes) end(connection);
      else held += backlog;
    }
    measured.fullest(most);
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
      connection.close('backlog');
    } catch (error) {
      log.error({ err: error }, 'a connection could not be closed');
    }
  }

  function lookAfter(connection: Connection, now: number, epochSeconds: number): void {
    if (connection.expired(epochSeconds)) connection.close('token_end');
    else if (isLate(connection, now)) connection.close();
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
    joined(connection) {
      handshakes.delete(connection);
      measured.accepted();
    },

    remove(connection, reason = 'client') {
      if (!connections.delete(connection)) return;
      if (connection.stage === 'joined') measured.ended(reason);
      handshakes.delete(connection);
      connection.leave();
    },

    mayReceive(connection, frame) {
      const fits = connection.silent || !isLarge(frame);
      if (fits && takePacket(connection, frame, performance.now())) return true;
      const address = connection.handshake?.address;
      tell({ level: 'info', message: 'connections sent too much and were closed', address });
      connection.close('packets');
      return false;
    },

    turnAway(connection, error) {
      measured.refused(error instanceof ChatError ? error.code : 'internal_error');
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
