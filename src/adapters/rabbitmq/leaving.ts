import type { Attached } from './attached.ts';
import { socketOf } from './connect.ts';

/** So long the last node is kept to, when none of them confirms. */
const restMs = 60_000;

/**
 * A node that is cut off from the others answers whatever it is asked, and confirms nothing; it notices only after a minute
 * (`net_ticktime`). One whose queues confirm nothing of what came since the oldest that is silent is left for another,
 * each once.
 */
export function createLeaving(nodes: number) {
  let left = 0;
  let leftAt = Number.NEGATIVE_INFINITY;
  return {
    /** @param expiresAt of the message that a queue has not confirmed */
    consider(on: Attached, expiresAt: number): void {
      const { lastConfirmed } = on;
      if (on.ended || on.blocked !== undefined) return;
      if (lastConfirmed && lastConfirmed.expiresAt >= expiresAt) return;
      const now = performance.now();
      if (lastConfirmed || now - leftAt > restMs) left = 0;
      if (left >= nodes - 1) return;
      left += 1;
      leftAt = now;
      on.ended = true;
      socketOf(on.connection).destroy(new Error('none of its queues confirms'));
    },
  };
}
