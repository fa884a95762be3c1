import type { ChannelModel } from 'amqplib';
import { socketOf } from './connect.ts';

/** How soon it is left again, where no node has worked since the last time; twice as long each time. */
const [shortestStayMs, longestStayMs] = [2_000, 30_000];

/** Leaves a node that answers and does not work, where there are others. */
export interface Leaving {
  /**
   * @param worked whether it did since it was connected to
   * @returns false where it is kept to
   */
  leave(connection: ChannelModel, worked: boolean, reason: string): boolean;
}

/**
 * A node that is cut off from the others takes what its clients say and confirms nothing. It notices that only after a minute
 * (`net_ticktime`). The others are no better for queues that it led, until they have elected new leaders, which takes 7 s, and
 * have taken it for gone (measured on 3.10.8): so each may be come to again.
 */
export function createLeaving(nodes: number): Leaving {
  let inVain = 0;
  let stayUntil = Number.NEGATIVE_INFINITY;
  return {
    leave(connection, worked, reason) {
      if (worked) inVain = 0;
      const now = performance.now();
      if (nodes < 2 || (now < stayUntil && !worked)) return false;
      inVain += 1;
      stayUntil = now + Math.min(longestStayMs, shortestStayMs * 2 ** (inVain - 1));
      // With an error: of a mere end amqplib hears nothing while bytes are unwritten.
      socketOf(connection).destroy(new Error(reason));
      return true;
    },
  };
}
