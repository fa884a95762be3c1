/** Of the first frame, the CONNECT: five thousand cursors are some 245 KB, although no more than a thousand are taken. */
export const maxFirstFrameBytes = 256 * 1024;
/** Of every other: clients only listen. */
export const maxFrameBytes = 64 * 1024;
/** A connection of which nothing has come by then is closed: an honest client speaks at once. */
export const firstPacketMs = 2_000;
/** A connection that has not joined `/chat` by then is closed. */
export const joinDeadlineMs = 10_000;
/** Connections that have not joined `/chat`, of all clients: beyond that one that waits for its client is closed for each new one. */
export const mostHandshakes = 2_000;
/** The same of one network, a /48 of IPv6, of which anybody may have one. */
export const mostHandshakesOfNetwork = 1_000;
/**
 * The same of one address. A quarter: behind one address there may be an office, or every client where a proxy is not trusted with
 * their addresses. A connect takes a fraction of a second, so even then a thousand who come back at once are all in after the
 * second or two that plain clients wait before they try again.
 */
export const mostHandshakesOfAddress = 500;
/**
 * What a client has not fetched: beyond that it is closed, over WebSocket and on long polling. Twice what a resume may tell, so
 * that no client is closed for having been told it.
 */
export const backlogLimitBytes = 512 * 1024;
/**
 * The same of a client whose user is removed from a chat, as what waits may be of this chat. Two of the longest messages: who reads
 * at all has less, on long polling between two polls, too.
 */
export const removalBacklogBytes = 16 * 1024;
/** What is not told again is not told to a client that has more than this to fetch. */
export const passingBacklogBytes = 64 * 1024;
/**
 * Where so much is published it is looked for who does not read: nobody's backlog has grown by more. At 10,000 sockets that takes a
 * millisecond, of the second or more in which so much is fanned out to them.
 */
export const lookEveryBytes = 256 * 1024;
/**
 * Bun's own limit, which must not be reached: it drops a frame and closes the socket a moment later, and what it is given in
 * between goes out, so that its client would have a gap behind its cursor. Measured: 2 of 109 slow readers had one.
 */
export const nativeBacklogBytes = 64 * 1024 * 1024;
/** What is held for all clients together: when some thousand stop reading at once, those with the most are closed. */
export const mostBacklogBytes = 256 * 1024 * 1024;
/** A poll waits as long as a ping's interval, and proxies keep a connection for 60 s, in which it must not end while they use it. */
export const idleSeconds = 75;
export const pingIntervalMs = 25_000;
export const pingTimeoutMs = 20_000;

/** An honest connection sends a CONNECT and a pong every 25 s; this leaves room for programs that emit by mistake. */
const burstPackets = 50;
const packetsASecond = 2;

/** What is left to a connection, and when it was counted: milliseconds of any one clock. */
export interface PacketBudget {
  budget: number;
  countedAt: number;
}

export const fullPacketBudget = burstPackets;

/** Of a large frame so much counts as a packet, as it takes longer to be read; the largest counts as no more than so many. */
const bytesAPacket = 4096;
const mostPackets = 20;

/** Takes one frame from the budget. @returns false when there is not so much left */
export function takePacket(left: PacketBudget, frame: string | Uint8Array, now: number): boolean {
  const earned = ((now - left.countedAt) / 1000) * packetsASecond;
  const packets = Math.min(mostPackets, 1 + Math.floor(frame.length / bytesAPacket));
  left.budget = Math.min(burstPackets, left.budget + earned) - packets;
  left.countedAt = now;
  return left.budget >= 0;
}

/** Too large for any frame but the first. */
export function isLarge(frame: string | Uint8Array): boolean {
  if (typeof frame !== 'string') return frame.byteLength > maxFrameBytes;
  // A character has three bytes at most.
  return frame.length * 3 > maxFrameBytes && Buffer.byteLength(frame) > maxFrameBytes;
}
