import type { Database } from '../db/database.ts';
import { readMessage } from '../db/queries/history.ts';
import type { Message } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';

export type GetMessage = (input: { chatId: string; userId: string; messageId: string }) => Promise<Message>;

/** @throws ChatError `chat_not_found`, `message_not_found` */
export function createGetMessage({ database }: { database: Database }): GetMessage {
  return async ({ chatId, userId, messageId }) => {
    const found = await readMessage(database, chatId, userId, messageId);
    if (found === 'no chat') throw new ChatError('chat_not_found');
    if (!found) throw new ChatError('message_not_found');
    return found;
  };
}
