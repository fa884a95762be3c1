import {
  noMembership,
  takeCounted,
  takeMembership,
  type Unread,
  unreadOf,
} from '../client/src/state/unread.ts';
import type { ClientRecord } from './history.ts';

/** What one device knows of what is unread, by what it was told: while it listens, and when it is judged. */
export interface UnreadChats {
  take(record: ClientRecord): void;
  of(chatId: string): Unread;
  /** The version up to which no membership is missing. */
  since(): number;
}

export function createUnreadChats(userId: string): UnreadChats {
  const chats = new Map<string, Unread>();
  let since = 0;
  const of = (chatId: string): Unread => {
    const known = chats.get(chatId) ?? unreadOf(noMembership(chatId));
    chats.set(chatId, known);
    return known;
  };
  return {
    of,
    since: () => since,
    take(record) {
      if (record.kind === 'message') {
        const told = { message: record.message, eventSequence: record.number };
        takeCounted(of(record.chatId), told, userId);
      } else if (record.kind === 'membership') {
        const { chatId, version } = record.membership;
        takeMembership(of(chatId), record.membership);
        if (version === since + 1) since = version;
      } else if (record.kind === 'ready') since = record.membershipVersion;
    },
  };
}
