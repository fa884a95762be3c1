import { type Announce, changeNotification } from '../changes/announce.ts';
import { changedMessage } from '../changes/changed-message.ts';
import type { Database } from '../db/database.ts';
import { readStored, type StoredKey } from '../db/queries/history.ts';
import type { Message } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';

export interface ChangeMessageDependencies {
  database: Database;
  announce: Announce;
}

/** @throws ChatError `message_not_found` for one that somebody took away by hand; `database_unavailable` */
export async function readOne(database: Database, key: StoredKey): Promise<Message> {
  const [message] = await readStored(database, [key]);
  if (!message) throw new ChatError('message_not_found');
  return message;
}

/**
 * Tells everybody of a change that is committed. It is read outside of the lock: where it has changed again since, its words are
 * told by whoever changed it last, and here no more than that there is something to read.
 */
export async function tellChanged(
  { database, announce }: ChangeMessageDependencies,
  key: StoredKey & { eventSequence: number },
): Promise<Message> {
  const { chatId, sequence, eventSequence } = key;
  let message: Message | undefined;
  try {
    message = await readOne(database, key);
    return message;
  } finally {
    await announce([
      changeNotification(
        message?.version === eventSequence
          ? changedMessage.tell(key, [message])
          : { chatId, eventSequence, event: 'chat.message.updated', sequence },
      ),
    ]);
  }
}
