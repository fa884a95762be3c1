import type { Database } from '../database.ts';

/** Rows of one commit. */
const mostRows = 1_000;

/** Committed by itself: a chat that cannot be purged keeps no other one waiting, nor one that another worker has. */
const takeChatSql = `UPDATE chats_to_purge SET retry_at = now() + interval '1 minute'
WHERE chat_id = (
  SELECT x.chat_id FROM chats_to_purge x WHERE coalesce(x.retry_at <= now(), true)
  ORDER BY x.deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING chat_id AS "chatId"`;

/**
 * One batch of the chat that was deleted first, of those at which nobody has failed within a minute. The function is the one of `drizzle/`.
 * @returns whether there may be more to purge
 */
export async function purgeDeletedChat(database: Pick<Database, 'query'>): Promise<boolean> {
  const [taken] = await database.query<{ chatId: string }>(takeChatSql, []);
  if (!taken) return false;
  await database.query('SELECT purge_deleted_chat($1::uuid, $2::int)', [taken.chatId, mostRows]);
  return true;
}
