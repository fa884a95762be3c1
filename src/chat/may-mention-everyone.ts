import type { Database } from '../db/database.ts';
import { mayMentionEveryone } from '../db/queries/participants.ts';
import { ChatError } from '../shared/errors.ts';

/** @throws ChatError `not_allowed`; `chat_not_found` for those who take no part in it */
export async function assertMayMentionEveryone(
  database: Database,
  chatId: string,
  userId: string,
): Promise<void> {
  const may = await mayMentionEveryone(database, chatId, userId);
  if (may === undefined) throw new ChatError('chat_not_found');
  if (!may)
    throw new ChatError('not_allowed', 'In a chat of more than 50 its owners and admins mention everyone.');
}
