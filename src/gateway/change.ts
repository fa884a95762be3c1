import type { ChangesPage, ChangesWanted, ReadChanges } from '../changes/read-changes.ts';
import type { Told } from '../changes/told.ts';
import type { Traceparent } from '../shared/ports/tracing.ts';
import { createBatcher } from './batch.ts';

/** One durable change of a chat, as sockets are told of it; `body` is the JSON text of the event's payload. */
export interface Change extends Omit<Told, 'payload'> {
  body: string;
  /** Of a notification whose message is sampled. */
  traceparent?: Traceparent;
}

/** All changes in `(after, through]`, ascending; the chat's last number was `head`. */
export interface Page extends Omit<ChangesPage, 'changes'> {
  changes: Change[];
}

/**
 * Undefined for a chat that is not there. The page may begin before `after`, where others asked for an earlier one at the
 * same time; whoever asked earliest gets on with every page.
 * @param expected how many rows there are beyond `after`, as far as that is known
 */
export type ReadPage = (chatId: string, after: number, expected?: number) => Promise<Page | undefined>;

interface Wanted extends ChangesWanted {
  expected: number;
}

const pageRows = 100;
/** Chats, or places in them, of one statement: a storm of sockets that missed little is a few statements. */
const mostPages = 1_000;
/** Rows expected of one statement: two thousand long messages at most are held. */
const mostRows = 2_000;

/** Reads pages for the sequencer; those asked for at the same time come in one statement. */
export function createReadPage(readChanges: ReadChanges): ReadPage {
  async function load(wanted: readonly Wanted[]): Promise<(Page | undefined)[]> {
    const starts = new Map<Wanted, ChangesWanted>();
    for (const ofChat of Map.groupBy(wanted, ({ chatId }) => chatId).values()) shareStarts(ofChat, starts);
    const distinct = [...new Set(starts.values())];
    const pages = await readChanges(distinct, pageRows);
    const byStart = new Map(
      pages.map((page, at) => [distinct[at], page && { ...page, changes: page.changes.map(toChange) }]),
    );
    return wanted.map((one) => byStart.get(starts.get(one)));
  }

  const pageOf = createBatcher<Wanted, Page | undefined>({
    load,
    keyOf: ({ chatId, after }) => `${chatId} ${after}`,
    mostKeys: mostPages,
    weightOf: ({ expected }) => Math.min(expected, pageRows),
    mostWeight: mostRows,
  });
  return (chatId, after, expected = pageRows) => pageOf({ chatId, after, expected });
}

/** One page for all who stand less than a page apart: a thousand who are added at once read the same ones. */
function shareStarts(ofChat: readonly Wanted[], starts: Map<Wanted, ChangesWanted>): void {
  let start: ChangesWanted | undefined;
  for (const one of ofChat.toSorted((a, b) => a.after - b.after)) {
    if (!start || one.after >= start.after + pageRows) start = { chatId: one.chatId, after: one.after };
    starts.set(one, start);
  }
}

export const toChange = ({ payload, ...head }: Told): Change => ({ ...head, body: JSON.stringify(payload) });
