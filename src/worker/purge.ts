import type { Database } from '../db/database.ts';
import { purgeDeletedChat } from '../db/queries/purge-deleted-chat.ts';
import { purgeReactions } from '../db/queries/reactions.ts';
import { pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';

export interface Purge {
  /** With each beat: begins to purge where there is something, unless it is at it. */
  look(): void;
  /** Lets the batch in hand finish. */
  stop(): Promise<void>;
}

/** Between two batches, for the sake of those who store. */
const pauseMs = 100;

/** Takes what is left of deleted chats and messages out of the database, in small batches. What one worker leaves the next one finds. */
export function createPurge({ database, log }: { database: Pick<Database, 'query'>; log: Logger }): Purge {
  const stopping = new AbortController();
  let purging: Promise<void> | undefined;

  async function purge(): Promise<void> {
    while (
      !stopping.signal.aborted &&
      ((await purgeReactions(database)) || (await purgeDeletedChat(database)))
    ) {
      await pause(pauseMs, stopping.signal);
    }
  }

  return {
    look() {
      purging ??= purge()
        // The next beat looks again, at another one.
        .catch((error: unknown) => log.warn({ err: error }, 'a deleted chat could not be purged now'))
        .finally(() => {
          purging = undefined;
        });
    },
    async stop() {
      stopping.abort();
      await purging;
    },
  };
}
