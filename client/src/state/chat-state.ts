import type {
  ChangeEvents,
  Chat,
  ChatSettings,
  Membership,
  Message,
  MessagePage,
  MessageReactions,
} from '../contract.ts';
import type { ChatItem } from '../types.ts';
import type { Held } from './held.ts';
import { type Messages, noMessages } from './messages.ts';
import { noPeople, type People } from './people.ts';
import { noMembership, type Unread, unreadOf } from './unread.ts';

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
  readonly messages: Messages;
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

/** What is told of a chat. */
export type Told = {
  [Name in keyof ChangeEvents]: { event: Name; payload: ChangeEvents[Name] };
}[keyof ChangeEvents];

/** @param epoch of an answer: that of when it was asked */
export type ChatInput =
  | ({ kind: 'event' } & Told)
  /** What is held may be out of date; what is told from here on is not. @param at above which everything is told */
  | { kind: 'reset'; at?: number | undefined }
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
  | { kind: 'reactions'; reactions: MessageReactions; epoch: object }
  | { kind: 'shown'; shown: boolean }
  | { kind: 'person'; user: { id: string; displayName: string; avatarUrl?: string } }
  /** The server says that the user takes no part in it. @param asked what was known when it was asked */
  | { kind: 'gone'; asked: ChatState };

export const noChat = (id: string, me: string, epoch: object = {}): ChatState => ({
  id,
  me,
  epoch,
  chat: undefined,
  settings: undefined,
  people: noPeople,
  last: undefined,
  unread: unreadOf(noMembership(id)),
  messages: noMessages,
  cursor: undefined,
  readAt: Number.POSITIVE_INFINITY,
  toldAt: 0,
  unsureAt: 0,
  goneAt: undefined,
  item: undefined,
  stale: true,
});

/** The user takes no part in it any more. */
export const leave = ({ id, me, messages }: ChatState, goneAt: number): ChatState => ({
  ...noChat(id, me),
  goneAt,
  stale: false,
  messages: { ...noMessages, asking: messages.asking },
});
