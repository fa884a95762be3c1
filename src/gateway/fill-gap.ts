import { isBelieved } from '../changes/kinds.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Change, Page, ReadPage } from './change.ts';
import type { LocalChat } from './local-chat.ts';
import type { GapCause, SequencerMetrics } from './sequencer-metrics.ts';

/**
 * Logged once a fill, with `chatId`, `rows`, and how many `messages` are among them. Only where there are some was a
 * notification lost or late, which is worth an operator's eye: changes of participants always come by reading.
 */
export const gapFilled = 'a gap was filled';

/** Reads what was committed beyond *G*, until that is all that was hinted. One at a time for a chat; never throws for PostgreSQL. */
export function createFillGap(deps: {
  readPage: ReadPage;
  /** Brings the room to the end of a page that was read after it had been told up to `delivered`; gives what it is told. */
  take: (chat: LocalChat, page: Page, delivered: number) => readonly Change[];
  /** Whether the chat still has a socket here. */
  isHere: (chat: LocalChat) => boolean;
  measured: Pick<SequencerMetrics, 'filled'>;
  log: Logger;
}): (chat: LocalChat, cause: GapCause) => Promise<void> {
  const { readPage, take, isHere, measured, log } = deps;

  /** Of what is hinted meanwhile only the highest number is kept, and read next. */
  return async (chat, cause) => {
    let failures = 0;
    let rows = 0;
    let messages = 0;
    while (isHere(chat) && chat.delivered !== undefined && chat.hinted > chat.delivered) {
      const after = chat.delivered;
      const wanted = chat.hinted;
      chat.hinted = 0;
      try {
        const page = await readPage(chat.id, after, wanted - after);
        failures = 0;
        if (!isHere(chat)) break;
        // A hint for what PostgreSQL does not have is forged, or from a database that was restored: it is not obeyed.
        const told = page ? take(chat, page, after) : [];
        rows += told.length;
        messages += told.filter(({ event }) => isBelieved(event)).length;
      } catch (error) {
        chat.hinted = Math.max(chat.hinted, wanted);
        if (failures === 0) log.warn({ err: error, chatId: chat.id }, 'reading a gap failed; trying again');
        await pause(fullJitterMs(failures));
        failures += 1;
      }
    }
    // In the same tick as the last look at `hinted`: a hint after this starts the next fill.
    chat.filling = false;
    measured.filled(cause, rows);
    if (rows > 0) log[messages > 0 ? 'info' : 'debug']({ chatId: chat.id, rows, messages }, gapFilled);
  };
}
