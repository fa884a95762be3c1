import type { Database } from '../db/database.ts';
import { readChat } from '../db/queries/chats.ts';
import type { Chat } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { ownChats } from './own-chats.ts';

export type GetChat = (input: { chatId: string; userId: string }) => Promise<Chat>;

/**
 * A chat as the user may see it.
 * @throws ChatError `chat_not_found`, for those who take no part in it too
 */
export function createGetChat(deps: { database: Database; presence: Presence }): GetChat {
  return async ({ chatId, userId }) => {
    const stored = await readChat(deps.database, chatId, userId);
    const [chat] = stored ? await ownChats(deps, userId, [stored]) : [];
    if (!chat) throw new ChatError('chat_not_found');
    return chat;
  };
}
