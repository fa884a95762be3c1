import { type Announce, changeNotification } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { updateChat } from '../db/queries/update-chat.ts';
import type { Chat, ChatUpdate } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { GetChat } from './get-chat.ts';

/** By its owners and admins. What changes nothing takes no number. */
export type UpdateChat = (input: { chatId: string; actorId: string; changes: ChatUpdate }) => Promise<Chat>;

/**
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_allowed`, `database_unavailable`: then it is unknown whether it was
 * committed
 */
export function createUpdateChat(deps: {
  database: Database;
  getChat: GetChat;
  announce: Announce;
}): UpdateChat {
  const { database, getChat, announce } = deps;

  return async ({ chatId, actorId, changes }) => {
    const updated = await updateChat(database, { chatId, actorId, changes });
    if (updated.outcome === 'updated') {
      const { eventSequence } = updated;
      await announce([changeNotification({ chatId, eventSequence, event: 'chat.updated' })]);
    } else if (updated.outcome !== 'unchanged') throw new ChatError(updated.outcome);
    return getChat({ chatId, userId: actorId });
  };
}
