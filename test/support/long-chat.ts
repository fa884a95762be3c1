import { openDataFolder } from '../../src/process/data-folder.ts';
import { newId } from '../../src/shared/ids.ts';

export interface LongChat {
  readonly chatId: string;
  /** Who has read all of it. */
  readonly readerId: string;
  readonly messages: number;
}

/** Into a folder that no server has opened yet: so many messages, `Number 1` and on, would take minutes to be sent on a busy machine. */
export async function makeLongChat(dataDir: string, messages: number): Promise<LongChat> {
  const [chatId, readerId, writerId] = [newId(), newId(), newId()];
  const folder = await openDataFolder(dataDir);
  const database = await folder.openDatabase();
  await database.query(
    `INSERT INTO users (id, email, password_hash, display_name)
     VALUES ($1::uuid, 'reader@example.com', '-', 'Reader'), ($2::uuid, 'writer@example.com', '-', 'Writer')`,
    [readerId, writerId],
  );
  await database.query(
    `INSERT INTO chats (id, is_group, name, last_sequence, last_event_sequence, participant_count)
     VALUES ($1::uuid, true, 'Long', $2::bigint, $2::bigint + 2, 2)`,
    [chatId, messages],
  );
  await database.query(
    `INSERT INTO chat_participants
       (chat_id, user_id, role, created_event_sequence, changed_event_sequence, last_read_sequence)
     VALUES ($1::uuid, $2::uuid, 'member', 1, 1, $4::bigint), ($1::uuid, $3::uuid, 'owner', 2, 2, $4::bigint)`,
    [chatId, readerId, writerId, messages],
  );
  await database.query(
    `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
     SELECT $1::uuid, n, gen_random_uuid(), $2::uuid, gen_random_uuid(), 'Number ' || n, now(), n + 2
     FROM generate_series(1, $3::bigint) n`,
    [chatId, writerId, messages],
  );
  await database.close();
  folder.close();
  return { chatId, readerId, messages };
}
