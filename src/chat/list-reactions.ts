import * as v from 'valibot';
import type { Database } from '../db/database.ts';
import { listReactions, reactorsStart } from '../db/queries/reactions.ts';
import type { Page, Reactor } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { decodeCursor, encodeCursor, idPart, instantPart } from './cursor.ts';

export type ListReactions = (input: {
  chatId: string;
  messageId: string;
  userId: string;
  key?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}) => Promise<Page<Reactor>>;

const position = v.pipe(
  v.strictTuple([v.string(), instantPart, idPart]),
  v.transform(([key, reactedAt, userId]) => ({ key, reactedAt, userId })),
);

/**
 * Who has reacted to a message: by key, and the first ones first.
 * @throws ChatError `chat_not_found`, `message_not_found`, `validation_failed` for a cursor of nobody's making
 */
export function createListReactions(database: Database): ListReactions {
  return async ({ limit, cursor, chatId, messageId, userId, key }) => {
    const after = cursor === undefined ? reactorsStart : decodeCursor(position, cursor);
    const found = await listReactions(database, { chatId, messageId, userId, key }, after, limit + 1);
    if (found === 'no chat') throw new ChatError('chat_not_found');
    if (!found) throw new ChatError('message_not_found');
    const data = found.slice(0, limit);
    const last = data.at(-1);
    return {
      data,
      nextCursor:
        last && found.length > limit
          ? encodeCursor([last.key, Date.parse(last.reactedAt), last.userId])
          : null,
    };
  };
}
