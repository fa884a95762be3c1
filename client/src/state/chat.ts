import type { Chat, Membership, MessageReactions } from '../contract.ts';
import { takeEvent } from './chat-event.ts';
import { derived, membershipNow } from './chat-item.ts';
import { type ChatInput, type ChatState, leave, noChat } from './chat-state.ts';
import { answerAt, holdAnswer, mergeHeld, mergeReactions, newerOf } from './held.ts';
import * as list from './messages.ts';
import { renamePerson, takePeople } from './people.ts';
import { copyOf, takeMembership, unreadOf } from './unread.ts';

/** One chat: what was told, read or answered, in whatever order and however often, comes to what the server has. */
export function foldChat(state: ChatState, input: ChatInput): ChatState {
  const next = take(state, input);
  return next === state ? state : derived(next, state);
}

function take(state: ChatState, input: ChatInput): ChatState {
  const { me, messages } = state;
  const withMessages = (changed: list.Messages): ChatState =>
    changed === messages ? state : { ...state, messages: changed };
  if ('epoch' in input && input.epoch !== undefined && input.epoch !== state.epoch)
    return input.kind === 'page' ? withMessages(list.answered(messages)) : state;
  switch (input.kind) {
    case 'event':
      return takeEvent(state, input);
    case 'reset':
      return {
        ...noChat(state.id, me),
        chat: state.item,
        // Who is told from where on it goes on takes part in it.
        goneAt: (input.at ?? 0) > (state.goneAt ?? 0) ? undefined : state.goneAt,
        unread: unreadOf({ ...membershipNow(state.unread, me), version: 0, eventSequence: 0 }),
        messages: list.resetMessages(messages),
      };
    case 'chat': {
      const taken = takeChat(state, input.chat);
      return taken === state ? state : { ...taken, epoch: input.epoch ?? {} };
    }
    case 'membership':
      return takeOwn(state, input.membership);
    case 'asks':
      return withMessages(list.ask(messages));
    case 'unanswered':
      return withMessages(list.answered(messages));
    case 'page': {
      const { page, jump } = input;
      const readAt = Math.min(state.readAt, page.page.eventSequence);
      return {
        ...withMessages(list.answered(list.takePage(messages, page, jump, me))),
        readAt,
        cursor: state.cursor === undefined ? undefined : Math.max(readAt, state.toldAt),
      };
    }
    case 'message': {
      const { message, at } = input;
      const taken = withMessages(list.takeMessage(messages, message, at));
      return message.id === state.last?.message.id
        ? { ...taken, last: mergeHeld(state.last, holdAnswer(message, at)) }
        : taken;
    }
    case 'reactions':
      return takeReactionsAnswer(state, input.reactions);
    case 'shown':
      return withMessages(list.show(messages, input.shown));
    case 'person': {
      const people = renamePerson(state.people, input.user);
      return people === state.people ? state : { ...state, people };
    }
    case 'gone': {
      const { epoch, goneAt = 0, toldAt, cursor = 0, chat } = input.asked;
      if (epoch !== state.epoch) return state;
      // Nobody knows whether what was told and read since then is older: it is asked again.
      if (toldAt !== state.toldAt || chat !== state.chat) return { ...state, cursor: undefined };
      return leave(state, Math.max(goneAt, toldAt, cursor, chat?.eventSequence ?? 0));
    }
  }
}

/** Everything in it is as of its number. */
function takeChat(state: ChatState, chat: Chat): ChatState {
  const { eventSequence: at } = chat;
  if (state.goneAt !== undefined) {
    return at <= state.goneAt ? state : takeChat({ ...state, goneAt: undefined }, chat);
  }
  // What was read later has all of it.
  if (state.cursor !== undefined && at < (state.chat?.eventSequence ?? 0)) return state;
  const lastRead = chat.lastMessage ? holdAnswer(chat.lastMessage, at) : undefined;
  const { settings, messages, last } = state;
  const isNew = lastRead !== undefined && lastRead.message.sequence > (last?.message.sequence ?? 0);
  const unsureAt = isNew ? messages.toldAt : state.unsureAt;
  const read: ChatState = {
    ...state,
    chat,
    settings: settings && settings.at > at ? settings : { of: chat, at },
    people: takePeople(state.people, chat),
    last: newerOf(last, lastRead),
    unsureAt: at >= unsureAt ? 0 : unsureAt,
    messages: list.readWith(messages, chat),
    // What was told beyond it is in the parts.
    readAt: Math.min(state.readAt, at),
    cursor: Math.max(Math.min(state.readAt, at), state.toldAt),
  };
  return takeOwn(read, chat.membership);
}

function takeOwn(state: ChatState, membership: Membership): ChatState {
  const unread = copyOf(state.unread);
  takeMembership(unread, membership);
  return unread.membership === state.unread.membership ? state : { ...state, unread };
}

function takeReactionsAnswer(
  state: ChatState,
  { messageId, reactions, eventSequence }: MessageReactions,
): ChatState {
  const { me, last } = state;
  const told = { reactions, at: answerAt(eventSequence) };
  const messages = list.withReactions(state.messages, messageId, told, me) ?? state.messages;
  const isLast = last?.message.id === messageId;
  return { ...state, messages, last: isLast ? mergeReactions(last, told, me) : last };
}
