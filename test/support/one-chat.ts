import type { Database } from '../../src/db/database.ts';
import { newId } from '../../src/shared/ids.ts';

export interface OneChat {
  chatId: string;
  senderId: string;
}

/** A chat with one member, past all verbs. */
export async function insertChat(database: Database): Promise<OneChat> {
  const [chatId, senderId] = [newId(), newId()];
  await database.query(`INSERT INTO users (id, display_name) VALUES ($1, 'Sender')`, [senderId]);
  await database.query('INSERT INTO chats (id, is_group) VALUES ($1, true)', [chatId]);
  await database.query(
    `INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
    VALUES ($1, $2, 'owner', 0, 0)`,
    [chatId, senderId],
  );
  return { chatId, senderId };
}
