import type { Database } from '../db/database.ts';
import { mayPost } from '../db/queries/participants.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import { participantFact } from './participant-fact.ts';

/**
 * For whom admission does not know {@link participantFact}: one that holds is believed. Of a revoked one, too, PostgreSQL has the
 * last word: Redis forbids nothing.
 * @throws ChatError `chat_not_found` for those who take no part in it; `not_allowed`; `database_unavailable`
 */
export async function assertMayPost(
  { database, facts }: { database: Database; facts: Facts },
  chatId: string,
  userId: string,
): Promise<void> {
  const may = await mayPost(database, chatId, userId);
  if (may === undefined) throw new ChatError('chat_not_found');
  if (!may) throw new ChatError('not_allowed', 'In this chat its owners and admins post.');
  void facts.fill([participantFact(chatId, userId)]);
}
