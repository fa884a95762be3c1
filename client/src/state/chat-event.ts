import type { Message, MessageEvent } from '../contract.ts';
import { type ChatState, leave, type Told } from './chat-state.ts';
import { type Held, mergeReactions, newerOf, settleQuotes } from './held.ts';
import { takeMessageEvent, takeReactions, toldHeld } from './messages.ts';
import { takePersonEvent } from './people.ts';
import { copyOf, isCounted, takeCounted, type Unread } from './unread.ts';

/** What is told of one chat, in whatever order and however often. */
export function takeEvent(state: ChatState, told: Told): ChatState {
  const { payload } = told;
  const at = payload.eventSequence;
  const { me } = state;
  if (state.goneAt !== undefined && at <= state.goneAt) return state;
  const next: ChatState = {
    ...(state.goneAt === undefined ? state : { ...state, goneAt: undefined }),
    toldAt: Math.max(state.toldAt, at),
    cursor: state.cursor === undefined ? undefined : Math.max(state.cursor, at),
  };
  // All that was read is newer, and what was told of it after that may not be told again.
  if (state.cursor !== undefined && at <= state.readAt) return next;
  switch (told.event) {
    case 'chat.participant.added':
      return { ...next, people: takePersonEvent(next.people, told.payload, true) };
    case 'chat.participant.removed':
      if (told.payload.participant.userId === me) return leave(state, at);
      return { ...next, people: takePersonEvent(next.people, told.payload, false) };
    case 'chat.updated':
      return at >= (next.settings?.at ?? 0) ? { ...next, settings: { of: told.payload.chat, at } } : next;
    case 'chat.message.reactions': {
      const { last } = next;
      const isLast = last?.message.id === told.payload.messageId;
      return {
        ...next,
        messages: takeReactions(next.messages, told.payload, me),
        last: isLast ? mergeReactions(last, { ...told.payload, at }, me) : last,
      };
    }
    case 'chat.message.new':
    case 'chat.message.saved':
    case 'chat.message.updated':
    case 'chat.message.deleted': {
      const { message } = told.payload;
      const given = toldHeld(heldIf(next.last, message), { message, at }, me);
      const last = newerOf(next.last, given);
      return {
        ...next,
        messages: takeMessageEvent(next.messages, told.payload, me),
        last: last && (settleQuotes([last], [given])[0] ?? last),
        unsureAt: last === given ? 0 : next.unsureAt,
        unread: counting(next.unread, told.payload, me),
      };
    }
    // Of a later version: its number counts.
    default:
      return next;
  }
}

function counting(unread: Unread, event: MessageEvent, me: string): Unread {
  if (!isCounted(unread, event, me)) return unread;
  const next = copyOf(unread);
  // Of the rest, which may be large, nothing is kept.
  const { content: _, metadata: __, ...message } = event.message;
  takeCounted(next, { ...event, message }, me);
  return next;
}

const heldIf = (last: Held | undefined, { id }: Message): Held | undefined =>
  last?.message.id === id ? last : undefined;
