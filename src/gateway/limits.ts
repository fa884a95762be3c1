/** Clients only listen: the largest honest frame is a CONNECT with a token and a thousand cursors (some 60 KB). */
export const maxFrameBytes = 64 * 1024;
/** A connection that has not joined `/chat` by then is closed. */
export const joinDeadlineMs = 10_000;
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

/** Takes one packet from the budget. @returns false when there is none left */
export function takePacket(left: PacketBudget, now: number): boolean {
  const earned = ((now - left.countedAt) / 1000) * packetsASecond;
  left.budget = Math.min(burstPackets, left.budget + earned) - 1;
  left.countedAt = now;
  return left.budget >= 0;
}
