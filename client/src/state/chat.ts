import type {
  ChangeEvents,
  Chat,
  ChatSettings,
  Membership,
  Message,
  MessageEvent,
  MessagePage,
  MessageReactions,
} from '../contract.ts';
import type { ChatItem } from '../types.ts';
import { answerAt, type Held, holdAnswer, mergeHeld, mergeReactions, settleQuotes } from './held.ts';
import * as list from './messages.ts';
import { noPeople, type People, peopleNow, renamePerson, takePeople, takePersonEvent } from './people.ts';
import {
  copyOf,
  countUnread,
  isCounted,
  noMembership,
  takeCounted,
  takeMembership,
  type Unread,
  unreadOf,
} from './unread.ts';

/** What is known of one chat. Everything in it says up to which `eventSequence` it is known. */
export interface ChatState {
  readonly id: string;
  /** The user whose chat it is. */
  readonly me: string;
  /** As it was read last. */
  readonly chat: Chat | undefined;
  readonly settings: { readonly of: ChatSettings; readonly at: number } | undefined;
  readonly people: People;
  readonly last: Held | undefined;
  readonly unread: Unread;
  readonly messages: list.Messages;
  /** Where a connect goes on: all up to here is in it. Undefined where the chat has to be read. */
  readonly cursor: number | undefined;
  /** The lowest number of what was read since the last reset: up to here it needs no events. */
  readonly readAt: number;
  /** The highest number of an event. */
  readonly toldAt: number;
  /** Up to here something was told that may be about the last message, before that was known; 0: it is sure. */
  readonly unsureAt: number;
  /** The number of what took the user out of it. */
  readonly goneAt: number | undefined;
  /** Another one after each reset: what was asked before that does not count. */
  readonly epoch: object;
  /** What follows of all that, for whoever shows it. */
  readonly item: ChatItem | undefined;
  /** What is shown is not sure: the chat has to be read. */
  readonly stale: boolean;
}

type Told = {
  [Name in keyof ChangeEvents]: { event: Name; payload: ChangeEvents[Name] };
}[keyof ChangeEvents];

/** @param epoch of an answer: that of when it was asked */
export type ChatInput =
  | ({ kind: 'event' } & Told)
  /** What is held may be out of date; what is told from here on is not. */
  | { kind: 'reset' }
  /** Without an epoch it is told: the user has been added. */
  | { kind: 'chat'; chat: Chat; epoch?: object }
  | { kind: 'membership'; membership: Membership; epoch?: object }
  /** A page is about to be read. */
  | { kind: 'asks' }
  /** @param jump whether it is to be shown in the place of what is shown, if it is not next to it */
  | { kind: 'page'; page: MessagePage; jump: boolean; epoch: object }
  /** It was not answered. */
  | { kind: 'unanswered' }
  /** @param at how far the chat was known when it was asked */
  | { kind: 'message'; message: Message; at: number; epoch: object }
  | { kind: 'reactions'; answer: MessageReactions; epoch: object }
  | { kind: 'shown'; shown: boolean }
  | { kind: 'person'; user: { id: string; displayName: string; avatarUrl?: string } }
  /** The server says that the user takes no part in it. @param asked what was known when it was asked */
  | { kind: 'gone'; asked: ChatState };

export const noChat = (id: string, me: string, epoch: object = {}): ChatState => ({
  ...{
    id,
    me,
    epoch,
    chat: undefined,
    settings: undefined,
    people: noPeople,
    last: undefined,
    unread: unreadOf(noMembership(id)),
  },
  ...{
    messages: list.noMessages,
    cursor: undefined,
    readAt: Number.POSITIVE_INFINITY,
    toldAt: 0,
    unsureAt: 0,
    goneAt: undefined,
    item: undefined,
    stale: true,
  },
});

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
        ...{ chat: state.item, goneAt: state.goneAt },
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
      return takeReactionsAnswer(state, input.answer);
    case 'shown':
      return withMessages(list.show(messages, input.shown));
    case 'person': {
      const people = renamePerson(state.people, input.user);
      return people === state.people ? state : { ...state, people };
    }
    case 'gone': {
      // Of what was told and read since then nobody knows whether that is older.
      const { epoch, goneAt = 0, toldAt, cursor = 0, chat } = input.asked;
      const known = Math.max(goneAt, toldAt, cursor, chat?.eventSequence ?? 0);
      return epoch === state.epoch ? leave(state, known) : state;
    }
  }
}

function takeEvent(state: ChatState, told: Told): ChatState {
  const { payload } = told;
  const at = payload.eventSequence;
  const { me } = state;
  if (state.goneAt !== undefined && at <= state.goneAt) return state;
  const next: ChatState = {
    ...(state.goneAt === undefined ? state : { ...state, goneAt: undefined }),
    toldAt: Math.max(state.toldAt, at),
    cursor: state.cursor === undefined ? undefined : Math.max(state.cursor, at),
  };
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
        messages: list.takeReactions(next.messages, told.payload, me),
        last: isLast ? mergeReactions(last, { ...told.payload, at }, me) : last,
      };
    }
    case 'chat.message.new':
    case 'chat.message.saved':
    case 'chat.message.updated':
    case 'chat.message.deleted': {
      const { message } = told.payload;
      const given = list.toldHeld(heldIf(next.last, message), { message, at }, me);
      const last = newerOf(next.last, given);
      return {
        ...next,
        messages: list.takeMessageEvent(next.messages, told.payload, me),
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

function newerOf(last: Held | undefined, given: Held | undefined): Held | undefined {
  if (!last || !given) return last ?? given;
  const later = given.message.sequence - last.message.sequence;
  return later === 0 ? mergeHeld(last, given) : later > 0 ? given : last;
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
    ...{ ...state, chat },
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

const leave = ({ id, me, messages }: ChatState, goneAt: number): ChatState => ({
  ...noChat(id, me),
  ...{ goneAt, stale: false, messages: { ...list.noMessages, asking: messages.asking } },
});

const membershipNow = (unread: Unread, me: string): Membership => {
  const { stale: _, ...counts } = countUnread(unread, me);
  return { ...unread.membership, ...counts };
};

/** Of what follows from the rest only that is made anew of which something has changed. */
function derived(next: ChatState, before: ChatState): ChatState {
  const { chat, settings, people, last, unread, goneAt, me, cursor } = next;
  if (!chat || goneAt !== undefined) return { ...next, item: undefined, stale: goneAt === undefined };
  const parts: (keyof ChatState)[] = ['chat', 'settings', 'people', 'last', 'unread', 'cursor', 'unsureAt'];
  if (before.item && parts.every((part) => next[part] === before[part])) return next;
  const { item: shown } = before;
  const isSame = shown && people === before.people;
  const { unknown, ...who } = people.at > 0 ? peopleNow(people) : { ...chat, unknown: false };
  const { stale, ...counts } = countUnread(unread, me);
  const membership = { ...unread.membership, ...counts };
  const lastMessage = last ? contractOf(last) : chat.lastMessage;
  const isNewer = (lastMessage?.sequence ?? 0) > chat.lastSequence;
  const item: ChatItem = {
    ...chat,
    ...settings?.of,
    ...{
      participants: isSame ? shown.participants : who.participants,
      participantCount: who.participantCount,
    },
    lastMessage,
    lastSequence: Math.max(chat.lastSequence, lastMessage?.sequence ?? 0),
    // Of what was told only when it was sent is known, by a clock of the server's.
    lastActivityAt:
      isNewer && lastMessage ? laterOf(chat.lastActivityAt, lastMessage.sentAt) : chat.lastActivityAt,
    eventSequence: cursor ?? chat.eventSequence,
    membership: shown && isEqual(membership, shown.membership) ? shown.membership : membership,
  };
  return { ...next, item, stale: cursor === undefined || stale || unknown || next.unsureAt > 0 };
}

const isEqual = (one: Membership, other: Membership): boolean =>
  (Object.keys(one) as (keyof Membership)[]).every((key) => one[key] === other[key]);

const laterOf = (one: string, other: string): string => (one > other ? one : other);

function contractOf({ message }: Held): Message {
  const { state: _, failure: __, ...rest } = message;
  return rest;
}
