import type { ChannelModel } from 'amqplib';
import type { Attached, Line } from './attached.ts';
import { codeOf, notFound } from './errors.ts';

/** A broker that has not confirmed for 4 s and does not open a channel either is not there. */
const reopenDeadlineMs = 1_000;

/** Channels of a queue's own. */
export interface OwnLines {
  /** It has fallen silent. */
  leave(line: Line): void;
  /**
   * A new one each time: one that was opened while a quorum queue was starting may never hear of what it sends there. What was left
   * is closed first: behind a queue that is silent that takes until it is back, and nothing is tried before.
   */
  open(queue: { missing: boolean; silent: boolean }): Promise<Line>;
}

/** @param repair declares what is missing */
export function createOwnLines(
  on: Attached,
  queue: string,
  repair: (connection: ChannelModel) => Promise<void>,
): OwnLines {
  let left: Line | undefined;

  return {
    leave(line) {
      left = line;
    },
    async open({ missing, silent }) {
      const deadlineMs = silent ? reopenDeadlineMs : undefined;
      if (missing) await repair(on.connection);
      const own = await on.openLine(deadlineMs);
      await left?.channel.close().catch(() => {});
      left = undefined;
      try {
        await own.channel.checkQueue(queue);
        return own;
      } catch (error) {
        if (codeOf(error) !== notFound) throw error;
        await repair(on.connection);
        return on.openLine(deadlineMs);
      }
    },
  };
}
