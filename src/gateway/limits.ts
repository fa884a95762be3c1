import type { Logger } from '../shared/log.ts';

/** Clients only listen: the largest honest frame is a CONNECT with a token and a thousand cursors (some 60 KB). */
export const maxFrameBytes = 64 * 1024;
/** A connection that has not joined `/chat` by then is closed. */
export const joinDeadlineMs = 10_000;
export const pingIntervalMs = 25_000;
export const pingTimeoutMs = 20_000;

/** An honest connection sends a CONNECT and a pong every 25 s; this leaves room for programs that emit by mistake. */
const burstPackets = 50;
const packetsASecond = 2;

/** `2` CONNECT 0, DISCONNECT 1, EVENT 2, ACK 3, and CONNECT_ERROR 4: those with attachments have no use here. */
const binaryPacket = /^[56]/;

interface Packet {
  type: string;
  data?: unknown;
}

/** What the guard touches of the engine's socket; its `onPacket` is private but looked up at every packet. */
export interface GuardedSocket {
  onPacket(packet: Packet): void;
  readyState: string;
  on(event: 'packetCreate', listener: (packet: Packet) => void): unknown;
}

/**
 * Stands before all that a client sends, on either transport. Too many packets, binary ones, or an error in handling one
 * close the connection; a pong that nobody asked for is dropped, because the engine starts a timer for each.
 */
export function guardPackets(socket: GuardedSocket, close: () => void, log: Logger): void {
  const handle = socket.onPacket.bind(socket);
  let pingSent = false;
  let budget = burstPackets;
  let countedAt = performance.now();
  socket.on('packetCreate', (packet) => {
    if (packet.type === 'ping') pingSent = true;
  });

  function takesOne(): boolean {
    const now = performance.now();
    budget = Math.min(burstPackets, budget + ((now - countedAt) / 1000) * packetsASecond);
    countedAt = now;
    budget -= 1;
    return budget >= 0;
  }

  socket.onPacket = (packet) => {
    if (socket.readyState !== 'open') return;
    if (!takesOne()) {
      log.info('a connection sends too much and is closed');
      return close();
    }
    if (packet.type === 'pong') {
      if (!pingSent) return;
      pingSent = false;
    }
    if (packet.type === 'message' && !isTextPacket(packet.data)) return close();
    try {
      handle(packet);
    } catch (error) {
      log.warn({ err: error }, 'a packet could not be handled; its connection is closed');
      close();
    }
  };
}

const isTextPacket = (data: unknown): boolean => typeof data === 'string' && !binaryPacket.test(data);
