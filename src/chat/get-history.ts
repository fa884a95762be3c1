import type { Database } from '../db/database.ts';
import { readHistory } from '../db/queries/history.ts';
import type { MessagePage } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';

export interface GetHistoryInput {
  chatId: string;
  userId: string;
  limit: number;
  /** The newest `limit` where neither is given; both exclude the message itself. */
  from?: { before: number } | { after: number } | undefined;
}

/** The contract's `MessagePage`, written as JSON. */
export type GetHistory = (input: GetHistoryInput) => Promise<string>;

const pastTheNewest = { before: Number.MAX_SAFE_INTEGER } as const;

/**
 * A page of the chat's messages, ascending by `sequence`.
 * @throws ChatError `chat_not_found`
 */
export function createGetHistory({ database }: { database: Database }): GetHistory {
  return async ({ chatId, userId, limit, from = pastTheNewest }) => {
    const found = await readHistory(database, chatId, userId, from, limit);
    if (!found) throw new ChatError('chat_not_found');
    const { messages, lastSequence, eventSequence } = found;

    // Sequences are 1, 2, 3 … without a gap, so the head tells what lies beyond the page; beyond an empty page, it and the
    // cursor do.
    const first = found.first ?? ('before' in from ? from.before : from.after + 1);
    const last = found.last ?? Math.max(0, first - 1);
    const page: MessagePage['page'] = {
      hasBefore: lastSequence > 0 && first > 1,
      hasAfter: last < lastSequence,
      eventSequence,
    };
    return `{"data":[${messages ?? ''}],"page":${JSON.stringify(page)}}`;
  };
}
