import type { Evidence } from '../evidence.ts';
import { keyOf, type SeenMessage } from '../history.ts';

/** As the contract says: characters, not units. */
const previewCharacters = 200;
const previewOf = (content: string): string => [...content].slice(0, previewCharacters).join('');

/**
 * What is wrong with the quote in a message as a client was shown it at a number of the chat: it is looked up whenever it is
 * shown, so it is of that number or later.
 */
type ShownQuotes = (
  chatId: string,
  seen: SeenMessage,
  number: number,
) => [kind: string, what: string] | undefined;

export function createShownQuotes({ history, postsByKey, changesById }: Evidence): ShownQuotes {
  const rows = new Map(history.database.messages.map((row) => [row.id, row]));
  return (chatId, { replyTo: quote, sequence }, number) => {
    if (!quote) return undefined;
    const row = rows.get(quote.messageId);
    const where = `in message ${sequence} of chat ${chatId}`;
    if ('deleted' in quote) {
      const isThere = row?.chatId === chatId && !row.deleted;
      return isThere ? ['quote lost', `what is there is quoted as deleted ${where}`] : undefined;
    }
    if (row?.chatId !== chatId || row.sequence !== quote.sequence || row.senderId !== quote.senderId)
      return ['phantom quote', `what is no row is quoted ${where}`];
    const isSettled = (row.version ?? 0) <= number;
    if (isSettled && row.deleted)
      return ['deleted words', `what was deleted before ${number} is quoted ${where}`];
    const asked = isSettled
      ? [row.content]
      : [
          ...(postsByKey.get(keyOf(row))?.contents ?? []),
          ...(changesById.get(row.id) ?? []).flatMap(({ content }) => content ?? []),
        ];
    return asked.some((content) => previewOf(content) === quote.preview)
      ? undefined
      : ['altered quote', `what was not said, or not any more at ${number}, is quoted ${where}`];
  };
}
