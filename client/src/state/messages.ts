import type { Message, MessageEvent, MessagePage, ReactionsEvent } from '../contract.ts';
import { type Held, hold, markOwn, mergeHeld, mergeReactions, settleQuotes } from './held.ts';

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
  /** The highest number of what was told of a message. */
  readonly toldAt: number;
  /** Of the chat. */
  readonly lastSequence: number;
  readonly limit: number;
}

type ReactionsChange = Omit<ReactionsEvent, 'chatId' | 'messageId'>;
type Told = MessageEvent | ReactionsChange;

export const noMessages: Messages = {
  ...{
    window: undefined,
    ghosts: [],
    recent: [],
    asking: 0,
    forgotten: 0,
    toldAt: 0,
    lastSequence: 0,
  },
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
  const place = window ? sequence - firstOf(window) : -1;
  // A repeat may be older than what was told since.
  const isNext = place === window?.length && at >= messages.toldAt;
  if (!window || !(window[place] || isNext)) {
    const settled = window && { window: settleQuotes(window, [hold(message, at)]) };
    return remember({ ...next, ...settled }, event);
  }
  const held = toldHeld(window[place], { message, at }, me);
  if (held === window[place]) return next;
  return trim({ ...next, window: settleQuotes(replaced(window, place, held), []) });
}

const toldOf = (messages: Messages, at: number, sequence: number): Messages => ({
  ...messages,
  toldAt: Math.max(messages.toldAt, at),
  lastSequence: Math.max(messages.lastSequence, sequence),
});

/** @param place in it, or the next one */
function replaced(window: readonly Held[], place: number, held: Held): readonly Held[] {
  const next = [...window];
  next[place] = held;
  return next;
}

/** As an event tells it, which does not say what is one's own. */
export function toldHeld(known: Held | undefined, told: { message: Message; at: number }, me: string): Held {
  const { reactions, ...message } = told.message;
  const own = reactions && { reactions: markOwn({ reactions }, known?.message.reactions, me) };
  return mergeHeld(known, hold({ ...message, ...own }, told.at));
}

export function takeReactions(messages: Messages, event: ReactionsChange, me: string): Messages {
  const { sequence, eventSequence: at } = event;
  const { window } = messages;
  const place = window ? sequence - firstOf(window) : -1;
  const known = window?.[place];
  const next = toldOf(messages, at, sequence);
  if (!window || !known) return remember(next, event);
  const held = mergeReactions(known, { ...event, at }, me);
  return held === known ? messages : { ...next, window: replaced(window, place, held) };
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
  forgotten: messages.toldAt,
  recent: noMessages.recent,
});

export const ask = (messages: Messages): Messages => ({ ...messages, asking: messages.asking + 1 });

/** The page was read, or is not to be expected any more. */
export function answered(messages: Messages): Messages {
  const asking = Math.max(0, messages.asking - 1);
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
  const read = data.map((message) => mergeHeld(kept[message.sequence - firstOf(kept)], hold(message, at)));
  const all = [
    ...kept.filter(({ message }) => message.sequence < first),
    ...read,
    ...kept.filter(({ message }) => message.sequence > Math.max(end, first - 1)),
  ];
  const limit = Math.min(windowLimits.most, Math.max(messages.limit, all.length));
  const older = kept.length > 0 && first < firstOf(kept);
  const next: Messages = {
    ...messages,
    ...{ ghosts: [], recent: [], limit, toldAt: 0 },
    // What is let go may be in another page that is under way, and is older there.
    forgotten: window && !near ? messages.toldAt : forgotten,
    lastSequence: Math.max(messages.lastSequence, endOf(all)),
    window: settleQuotes(older ? all.slice(0, limit) : all.slice(-limit), window ?? []),
  };
  // What came while it was under way.
  const told = recent.reduce(
    (now, event) => ('message' in event ? takeMessageEvent(now, event, me) : takeReactions(now, event, me)),
    next,
  );
  return { ...told, toldAt: messages.toldAt };
}

/** An answer that has one message. @param at of the request: it is no older */
export function takeMessage(messages: Messages, message: Message, at: number): Messages {
  const { window } = messages;
  const place = window ? message.sequence - firstOf(window) : -1;
  const known = window?.[place];
  const given = hold(message, at);
  if (window && known) {
    const held = mergeHeld(known, given);
    if (held === known) return messages;
    return { ...messages, window: settleQuotes(replaced(window, place, held), []) };
  }
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
export const show = (messages: Messages, shown: boolean): Messages =>
  trim({ ...messages, limit: shown ? windowLimits.shown : windowLimits.unseen });

/** What is held may be out of date. */
export const resetMessages = (messages: Messages): Messages => ({
  ...noMessages,
  ghosts: messages.window ?? messages.ghosts,
  asking: messages.asking,
  limit: messages.limit,
});
