import * as v from 'valibot';
import type { Database } from '../db/database.ts';
import { chatListStart, listChats } from '../db/queries/chats.ts';
import type { Chat, ChatFilter, Page } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { decodeCursor, encodeCursor, idPart, instantPart } from './cursor.ts';
import { ownChats } from './own-chats.ts';

export type ListChats = (input: {
  userId: string;
  /** Archived chats are in the list of the archived alone. */
  filter?: ChatFilter | undefined;
  limit: number;
  cursor?: string | undefined;
}) => Promise<Page<Chat>>;

const position = v.pipe(
  v.strictTuple([instantPart, idPart]),
  v.transform(([lastActivityAt, id]) => ({ lastActivityAt, id })),
);

/**
 * The user's chats, newest activity first. A chat with new activity moves to the front, past the pages already read: who
 * keeps a list follows its events.
 * @throws ChatError `validation_failed` for a cursor of nobody's making
 */
export function createListChats(deps: { database: Database; presence: Presence }): ListChats {
  return async ({ userId, filter, limit, cursor }) => {
    const after = cursor === undefined ? chatListStart : decodeCursor(position, cursor);
    const found = await listChats(deps.database, userId, filter, after, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const chats = await ownChats(deps, userId, page);
    return {
      // Of a long run of messages that are never unread nothing is known before it has been gone over.
      data: filter === 'unread' ? chats.filter(({ membership }) => membership.unreadCount > 0) : chats,
      nextCursor:
        last && found.length > limit ? encodeCursor([Date.parse(last.lastActivityAt), last.id]) : null,
    };
  };
}
