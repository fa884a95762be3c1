import { type Evidence, wasAsked } from '../evidence.ts';
import { type ClientRecord, keyOf, type SeenMessage } from '../history.ts';
import type { MessageRow } from '../rows.ts';
import { sameKey, sameWords } from './settled-views.ts';
import { createShownQuotes } from './shown-quotes.ts';

type Problem = [kind: string, what: string];
type MessageRecord = Extract<ClientRecord, { kind: 'message' }>;
type PageRecord = Extract<ClientRecord, { kind: 'page' }>;

export interface ShownMessages {
  /** @param connectedAt when the connection on which it came began */
  ofEvent(record: MessageRecord, connectedAt: number): Problem[];
  ofPage(record: PageRecord): Problem[];
}

/** What is wrong with a message as a client was shown it: with its number, its words, or that it still has some. */
export function createShownMessages(evidence: Evidence): ShownMessages {
  const { database, changes } = evidence.history;
  const rows = new Map(database.messages.map((row) => [`${row.chatId} ${row.sequence}`, row]));
  const rowOf = (chatId: string, { sequence }: SeenMessage) => rows.get(`${chatId} ${sequence}`);
  const quoteIn = createShownQuotes(evidence);
  /** When each deletion was first answered to be done. */
  const deletions = new Map<string, number>();
  for (const { messageId, content, status, endedAt } of changes) {
    if (content !== undefined || status !== 204) continue;
    deletions.set(messageId, Math.min(endedAt, deletions.get(messageId) ?? endedAt));
  }

  /** As it is in its row, or as somebody had asked for it before that. */
  function hasItsWords(chatId: string, seen: SeenMessage, row: MessageRow): boolean {
    if (!sameKey(seen, row)) return false;
    const [version, last] = [seen.version ?? 0, row.version ?? 0];
    if (version === last) return sameWords(seen, row);
    return version < last && wasAsked(evidence, keyOf({ chatId, ...seen }), seen);
  }

  return {
    ofEvent({ chatId, number, message, changed }, connectedAt) {
      if (evidence.deleted.has(chatId)) return [];
      const row = rowOf(chatId, message);
      const isThere = changed
        ? message.version === number && number <= (row?.version ?? 0)
        : row?.number === number;
      if (!row || !isThere) return [['phantom', `message number ${number} of chat ${chatId} is no row`]];
      const found: Problem[] = [];
      if (!hasItsWords(chatId, message, row)) {
        found.push(['altered', `message number ${number} of chat ${chatId} differs from its row`]);
      }
      const wrong = quoteIn(chatId, message, number);
      if (wrong) found.push(wrong);
      const isGone = (id: string) => connectedAt > (deletions.get(id) ?? Infinity);
      if (row.deleted && message.content !== '' && isGone(row.id)) {
        found.push([
          'deleted words',
          `what message ${row.sequence} of chat ${chatId} said, after its deletion`,
        ]);
      }
      const { replyTo } = message;
      if (replyTo && !('deleted' in replyTo) && isGone(replyTo.messageId)) {
        found.push(['deleted words', `message ${row.sequence} of chat ${chatId} quotes what was deleted`]);
      }
      return found;
    },

    ofPage({ chatId, number, messages }) {
      if (evidence.deleted.has(chatId)) return [];
      return messages.flatMap((seen): Problem[] => {
        const row = rowOf(chatId, seen);
        const isOld = row?.version && number >= row.version && seen.version !== row.version;
        const wrong = quoteIn(chatId, seen, number);
        return [
          ...(isOld
            ? [
                [
                  'stale page',
                  `message ${seen.sequence} of chat ${chatId} as before ${number}`,
                ] satisfies Problem,
              ]
            : []),
          ...(wrong ? [wrong] : []),
        ];
      });
    },
  };
}
