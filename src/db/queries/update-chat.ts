import type { ChatUpdate } from '../../shared/contract.ts';
import type { Database } from '../database.ts';

export type ChatUpdateOutcome =
  | { outcome: 'updated'; eventSequence: number }
  | { outcome: 'unchanged' | 'chat_not_found' | 'chat_is_direct' | 'not_allowed' };

const updateChatSql = `SELECT outcome, event_sequence AS "eventSequence"
FROM update_chat($1::uuid, $2::uuid, $3::text::json)`;

/** One call, one commit: the function is the one of `drizzle/`. */
export async function updateChat(
  database: Database,
  { chatId, actorId, changes }: { chatId: string; actorId: string; changes: ChatUpdate },
): Promise<ChatUpdateOutcome> {
  const [outcome] = await database.query<ChatUpdateOutcome>(updateChatSql, [
    chatId,
    actorId,
    JSON.stringify(changes),
  ]);
  if (!outcome) throw new Error('the change of a chat has no outcome');
  return outcome;
}
