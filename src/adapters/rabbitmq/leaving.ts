import type { ChannelModel } from 'amqplib';
import { socketOf } from './connect.ts';

/** So long the last node is kept to, when none of them works. */
const restMs = 60_000;

/** Leaves a node that answers and does not work: each once, then whoever asks is to be content for a while. */
export interface Leaving {
  /**
   * @param worked whether it did since it was connected to
   * @returns false where it is kept to
   */
  leave(connection: ChannelModel, worked: boolean, reason: string): boolean;
}

/**
 * A node that is cut off from the others takes what its clients say, confirms nothing, and delivers nothing of queues that
 * are led elsewhere. It notices that only after a minute (`net_ticktime`).
 */
export function createLeaving(nodes: number): Leaving {
  let left = 0;
  let leftAt = Number.NEGATIVE_INFINITY;
  return {
    leave(connection, worked, reason) {
      const now = performance.now();
      if (worked || now - leftAt > restMs) left = 0;
      if (left >= nodes - 1) return false;
      left += 1;
      leftAt = now;
      // With an error: of a mere end amqplib hears nothing while bytes are unwritten.
      socketOf(connection).destroy(new Error(reason));
      return true;
    },
  };
}
