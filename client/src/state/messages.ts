import type { Chat, Message, MessageEvent, MessagePage, ReactionsEvent } from '../contract.ts';
import {
  type Held,
  hold,
  holdAnswer,
  markOwn,
  mergeHeld,
  mergeReactions,
  type ReactionsTold,
  settleQuotes,
} from './held.ts';

/** So many messages of a chat are held: while nobody looks, at first, and when somebody has gone through older or newer ones. */
export const windowLimits = { unseen: 50, shown: 500, most: 2_000 };

/** What is held of a chat's messages. */
export interface Messages {
  /** Ascending, without a gap; undefined until a page was read. */
  readonly window: readonly Held[] | undefined;
  /** What was held before a reset: shown until something is read, and no more than that. */
  readonly ghosts: readonly Held[];
  /** What was told of messages outside the window while a page was under way, in that order. */
  readonly recent: readonly Told[];
  /** Pages under way. */
  readonly asking: number;
  /** What was told up to here of messages outside is not kept: a page that is older does not do. */
  readonly forgotten: number;
  /** The highest number of an event about a message. */
  readonly toldAt: number;
  /** Of the chat. */
  readonly lastSequence: number;
  readonly limit: number;
}

type Told = MessageEvent | ReactionsEvent;

export const noMessages: Messages = {
  window: undefined,
  ghosts: [],
  recent: [],
  asking: 0,
  forgotten: 0,
  toldAt: 0,
  lastSequence: 0,
  limit: windowLimits.unseen,
};

/** Of a chat without messages the next one is the first. */
const firstOf = (window: readonly Held[]): number => window[0]?.message.sequence ?? 1;
const endOf = (window: readonly Held[]): number => window.at(-1)?.message.sequence ?? 0;

export const hasBefore = ({ window }: Messages): boolean => window !== undefined && firstOf(window) > 1;
export const hasAfter = ({ window, lastSequence }: Messages): boolean =>
  window !== undefined && endOf(window) < lastSequence;

export function takeMessageEvent(messages: Messages, event: MessageEvent, me: string): Messages {
  const { message, eventSequence: at } = event;
  const { sequence } = message;
  const next = toldOf(messages, at, sequence);
  const { window } = messages;
  const place = placeOf(messages, sequence);
  // A repeat may be older than what was told since.
  const isNext = place === window?.length && at >= messages.toldAt;
  if (!window || !(window[place] || isNext)) {
    const settled = window && { window: settleQuotes(window, [hold(message, at)]) };
    return remember({ ...next, ...settled }, event);
  }
  return trim(put(next, place, toldHeld(window[place], { message, at }, me)));
}

const heldIn = (window: readonly Held[] = [], { sequence }: { sequence: number }): Held | undefined =>
  window[sequence - firstOf(window)];

const placeOf = ({ window }: Messages, sequence: number): number =>
  window ? sequence - firstOf(window) : -1;

const toldOf = (messages: Messages, at: number, sequence: number): Messages => ({
  ...messages,
  toldAt: Math.max(messages.toldAt, at),
  lastSequence: Math.max(messages.lastSequence, sequence),
});

/** @param place in the window, or the next one */
function put(messages: Messages, place: number, held: Held): Messages {
  const window = [...(messages.window ?? [])];
  if (window[place] === held) return messages;
  window[place] = held;
  return { ...messages, window: settleQuotes(window, []) };
}

/** As an event tells it, which does not say what is one's own. */
export function toldHeld(known: Held | undefined, told: { message: Message; at: number }, me: string): Held {
  const { reactions, ...message } = told.message;
  const own = reactions && { reactions: markOwn({ reactions }, known?.message.reactions, me) };
  return mergeHeld(known, hold({ ...message, ...own }, told.at));
}

export function takeReactions(messages: Messages, event: ReactionsEvent, me: string): Messages {
  const { messageId, sequence, eventSequence: at } = event;
  const next = toldOf(messages, at, sequence);
  return withReactions(next, messageId, { ...event, at }, me) ?? remember(next, event);
}

/** Undefined: it is not in the window. An answer comes beside the events: it does not say how far they have come. */
export function withReactions(
  messages: Messages,
  messageId: string,
  told: ReactionsTold,
  me: string,
): Messages | undefined {
  const place = messages.window?.findIndex(({ message }) => message.id === messageId) ?? -1;
  const known = messages.window?.[place];
  return known && put(messages, place, mergeReactions(known, told, me));
}

/** Only a page that is under way may be older than what was told of messages that are not in the window; a repeat says nothing of now. */
function remember(messages: Messages, told: Told): Messages {
  const { asking, recent, forgotten, toldAt } = messages;
  const { eventSequence: at } = told;
  return asking === 0 || at < toldAt
    ? { ...messages, forgotten: Math.max(forgotten, at) }
    : { ...messages, recent: [...recent, told] };
}

const forget = (messages: Messages): Messages => ({
  ...messages,
  forgotten: Math.max(messages.forgotten, messages.toldAt),
  recent: noMessages.recent,
});

export const ask = (messages: Messages): Messages => ({ ...messages, asking: messages.asking + 1 });

/** The chat was read: of what happened before, nobody tells again. */
export const readWith = (messages: Messages, { eventSequence, lastSequence }: Chat): Messages => ({
  ...messages,
  forgotten: Math.max(messages.forgotten, eventSequence),
  lastSequence: Math.max(messages.lastSequence, lastSequence),
});

/** The page was read, or is not to be expected any more. */
export function answered(messages: Messages): Messages {
  if (messages.asking === 0) return messages;
  const asking = messages.asking - 1;
  const next = { ...messages, asking };
  return asking > 0 || messages.recent.length === 0 ? next : forget(next);
}

/**
 * Everything in a page is as of its `eventSequence`. One that is not next to the window is the window from now on, if it is `jump`, and else
 * does not count: the window has moved meanwhile.
 */
export function takePage(
  messages: Messages,
  { data, page }: MessagePage,
  jump: boolean,
  me: string,
): Messages {
  const { window, recent, forgotten } = messages;
  const at = page.eventSequence;
  const isEmpty = data.length === 0 && (window !== undefined || messages.lastSequence > 0);
  if (at < forgotten || isEmpty) return messages;
  const [first, end] = [data[0]?.sequence ?? 1, data.at(-1)?.sequence ?? 0];
  const near = window !== undefined && first <= endOf(window) + 1 && end >= firstOf(window) - 1;
  if (window && !near && !jump) return messages;
  const kept = window && near ? window : [];
  const read = data.map((message) => mergeHeld(heldIn(kept, message), holdAnswer(message, at)));
  const all = [
    ...kept.filter(({ message }) => message.sequence < first),
    ...read,
    ...kept.filter(({ message }) => message.sequence > Math.max(end, first - 1)),
  ];
  const limit = Math.min(windowLimits.most, Math.max(messages.limit, all.length));
  const older = kept.length > 0 && first < firstOf(kept);
  const next: Messages = {
    ...messages,
    ghosts: [],
    // What is older than the page may be out of date, but for another page that is under way.
    recent: recent.filter(({ eventSequence }) => eventSequence <= at),
    limit,
    toldAt: 0,
    // What is let go may be in another page that is under way, and is older there.
    forgotten: window && !near ? Math.max(forgotten, messages.toldAt) : forgotten,
    lastSequence: Math.max(messages.lastSequence, endOf(all), page.hasAfter ? end + 1 : 0),
    window: older ? all.slice(0, limit) : all.slice(-limit),
  };
  // What came while it was under way.
  const told = recent
    .filter(({ eventSequence }) => eventSequence > at)
    .reduce(
      (now, event) => ('message' in event ? takeMessageEvent(now, event, me) : takeReactions(now, event, me)),
      next,
    );
  // What was in the window was told nowhere else.
  const newest = told.window?.map((one) => mergeHeld(heldIn(window, one.message), one)) ?? [];
  return { ...told, window: settleQuotes(newest, window ?? []), toldAt: messages.toldAt };
}

/** An answer that has one message. @param at of the request: it is no older */
export function takeMessage(messages: Messages, message: Message, at: number): Messages {
  const { window } = messages;
  const place = placeOf(messages, message.sequence);
  const known = window?.[place];
  const given = holdAnswer(message, at);
  if (known) return put(messages, place, mergeHeld(known, given));
  return window ? { ...messages, window: settleQuotes(window, [given]) } : messages;
}

/** While a page is under way nothing is let go: the page may be older than it. */
function trim(messages: Messages): Messages {
  const { window, limit, asking } = messages;
  return window && window.length > limit && asking === 0
    ? { ...messages, window: window.slice(-limit) }
    : messages;
}

/** Whether somebody looks: then more of them are held. */
export function show(messages: Messages, shown: boolean): Messages {
  const limit = shown ? Math.max(windowLimits.shown, messages.limit) : windowLimits.unseen;
  return limit === messages.limit ? messages : trim({ ...messages, limit });
}

/** What is held may be out of date. */
export const resetMessages = (messages: Messages): Messages => ({
  ...noMessages,
  ghosts: messages.window ?? messages.ghosts,
  asking: messages.asking,
  limit: messages.limit,
});
