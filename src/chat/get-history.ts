import type { Database } from '../db/database.ts';
import { readHistory } from '../db/queries/history.ts';
import { ChatError } from '../shared/errors.ts';

export interface GetHistoryInput {
  chatId: string;
  userId: string;
  limit: number;
  /** The newest `limit` where neither is given; both exclude the message itself. */
  from?: { before: number } | { after: number } | undefined;
}

/** The contract's `MessagePage` as JSON in UTF-8. */
export type GetHistory = (input: GetHistoryInput) => Promise<Uint8Array<ArrayBuffer>>;

const pastTheNewest = { before: Number.MAX_SAFE_INTEGER } as const;

/**
 * A page of the chat's messages, ascending by `sequence`.
 * @throws ChatError `chat_not_found`
 */
export function createGetHistory({ database }: { database: Database }): GetHistory {
  return async ({ chatId, userId, limit, from = pastTheNewest }) => {
    const page = await readHistory(database, chatId, userId, from, limit);
    if (!page) throw new ChatError('chat_not_found');
    return page;
  };
}
