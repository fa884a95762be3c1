import type { Membership, Message } from '../contract.ts';
import { isSame } from '../store.ts';
import type { ChatItem } from '../types.ts';
import type { ChatState } from './chat-state.ts';
import type { Held } from './held.ts';
import { peopleNow } from './people.ts';
import { countUnread, type Unread } from './unread.ts';

export const membershipNow = (unread: Unread, me: string): Membership => {
  const { stale: _, ...counts } = countUnread(unread, me);
  return { ...unread.membership, ...counts };
};

/** Of what follows from the rest only that is made anew of which something has changed. */
export function derived(next: ChatState, before: ChatState): ChatState {
  const { chat, settings, people, last, unread, goneAt, me, cursor } = next;
  if (!chat || goneAt !== undefined) return { ...next, item: undefined, stale: goneAt === undefined };
  const parts: (keyof ChatState)[] = ['chat', 'settings', 'people', 'last', 'unread', 'cursor', 'unsureAt'];
  if (before.item && parts.every((part) => next[part] === before[part])) return next;
  const shown = before.item;
  const { unknown, participants, participantCount } =
    people.at > 0 ? peopleNow(people) : { ...chat, unknown: false };
  const { stale, ...counts } = countUnread(unread, me);
  const membership = { ...unread.membership, ...counts };
  const lastMessage = last ? contractOf(last) : chat.lastMessage;
  const { sequence, sentAt } = lastMessage ?? { sequence: 0, sentAt: '' };
  const isLater = sequence > chat.lastSequence && sentAt > chat.lastActivityAt;
  const item: ChatItem = {
    ...chat,
    ...settings?.of,
    participants: shown && people === before.people ? shown.participants : participants,
    participantCount,
    lastMessage,
    lastSequence: Math.max(chat.lastSequence, sequence),
    // Of what was told only when it was sent is known, by a clock of the server's.
    lastActivityAt: isLater ? sentAt : chat.lastActivityAt,
    eventSequence: cursor ?? chat.eventSequence,
    membership: shown && isSame(membership, shown.membership) ? shown.membership : membership,
  };
  return { ...next, item, stale: cursor === undefined || stale || unknown || next.unsureAt > 0 };
}

function contractOf({ message }: Held): Message {
  const { state: _, failure: __, ...rest } = message;
  return rest;
}
