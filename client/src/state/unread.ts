import type { Membership, Message } from '../contract.ts';

/** As the server counts: to 100, of the 1,000 messages after the marker. */
const unreadLimits = { mostUnread: 100, mostLookedAt: 1_000 };
/** Of so many messages is remembered what was told of them; after more the chat is read. */
const mostTold = 1_000;

/** What a client keeps of one chat to know what is unread in it. */
export interface Unread {
  /** The base: the newest membership that it was given. */
  membership: Membership;
  /** What it was told of messages in events numbered above the base, as they were last, by their sequences. */
  readonly told: Map<number, ToldMessage>;
  /** Events up to here are not kept: a base that is older does not do. */
  forgotten: number;
}

/** What counts of a message. */
export type CountedMessage = Pick<Message, 'sequence' | 'senderId'> &
  Partial<Pick<Message, 'messageType' | 'deletedAt' | 'version' | 'mentions'>>;

interface ToldMessage {
  readonly message: CountedMessage;
  /** The highest of the events that told of it. */
  readonly eventSequence: number;
  /** Whether one of them was an edit: then nobody knows whom it mentioned before. */
  readonly edited: boolean;
}

/** `chat.message.new`, `saved`, `updated`, `deleted`: each has the message as it is now. */
export interface MessageTold {
  message: CountedMessage;
  eventSequence: number;
}

export const unreadOf = (membership: Membership): Unread => ({
  membership,
  told: new Map(),
  forgotten: membership.eventSequence,
});

/** Older than any: what is told before the first one counts above it. */
export const noMembership = (chatId: string): Membership => ({
  chatId,
  lastReadSequence: 0,
  unreadCount: 0,
  unreadMentionCount: 0,
  notify: 'all',
  mutedUntil: null,
  pinnedAt: null,
  archivedAt: null,
  version: 0,
  lastSequence: 0,
  eventSequence: 0,
});

/** One that nobody else holds: what is taken changes it. */
export const copyOf = ({ membership, told, forgotten }: Unread): Unread => ({
  membership,
  told: new Map(told),
  forgotten,
});

/** From REST or an event, in whatever order they come. */
export function takeMembership(unread: Unread, given: Membership): void {
  const { membership, told, forgotten } = unread;
  const older =
    given.version < membership.version ||
    (given.version === membership.version && given.eventSequence < membership.eventSequence);
  if (older) return;
  unread.membership = given;
  unread.forgotten = Math.max(forgotten, given.eventSequence);
  for (const [sequence, { eventSequence }] of told) {
    if (eventSequence <= given.eventSequence) told.delete(sequence);
  }
}

/** Whether the event is of any interest. */
export const isCounted = (
  { membership }: Unread,
  { message, eventSequence }: MessageTold,
  me: string,
): boolean =>
  eventSequence > membership.eventSequence && message.senderId !== me && message.messageType !== 'system';

/** An event about a message, in whatever order they come, and however often. */
export function takeCounted(unread: Unread, event: MessageTold, me: string): void {
  if (!isCounted(unread, event, me)) return;
  const { membership, told } = unread;
  const { message, eventSequence } = event;
  const known = told.get(message.sequence);
  if (!known && told.size >= mostTold) {
    const { stale: _, ...counts } = countUnread(unread, me);
    unread.membership = { ...membership, ...counts };
    for (const one of [...told.values(), event])
      unread.forgotten = Math.max(unread.forgotten, one.eventSequence);
    told.clear();
    return;
  }
  const newer = !known || eventSequence > known.eventSequence;
  const edited = known?.edited === true || (message.version !== undefined && message.deletedAt === undefined);
  told.set(message.sequence, newer ? { message, eventSequence, edited } : { ...known, edited });
}

export interface Counted {
  unreadCount: number;
  unreadMentionCount: number;
  /** The client can't know: it reads the chat, and shows this until it has. */
  stale: boolean;
}

/**
 * Base and events together. +1 for a message that is not in the base; −1 for one that is, and was deleted since. At the
 * limit nobody knows how many there are: from there a deletion is a reason to read the chat.
 */
export function countUnread(
  { membership, told, forgotten }: Unread,
  me: string,
  { mostUnread, mostLookedAt } = unreadLimits,
): Counted {
  const { lastReadSequence: marker, lastSequence } = membership;
  let { unreadCount, unreadMentionCount } = membership;
  const [many, manyMentions] = [unreadCount >= mostUnread, unreadMentionCount >= mostUnread];
  let stale = membership.eventSequence < forgotten;
  for (const { message, edited } of told.values()) {
    const { sequence, senderId, messageType, deletedAt } = message;
    if (senderId === me || messageType === 'system' || sequence <= marker) continue;
    if (sequence > marker + mostLookedAt) {
      // The server looks no further either, but moves the marker over what is never unread.
      stale ||= !many && deletedAt === undefined;
    } else if (sequence > lastSequence) {
      if (deletedAt !== undefined) continue;
      unreadCount += 1;
      if (mentions(message, me)) unreadMentionCount += 1;
    } else if (deletedAt !== undefined) {
      stale ||= many || membership.unreadMentionCount > 0;
      unreadCount -= 1;
    } else if (edited) stale ||= mentions(message, me) || membership.unreadMentionCount > 0;
  }
  return {
    unreadCount: many ? mostUnread : Math.min(unreadCount, mostUnread),
    unreadMentionCount: manyMentions ? mostUnread : Math.min(unreadMentionCount, mostUnread),
    stale,
  };
}

const mentions = ({ mentions: of }: CountedMessage, me: string): boolean =>
  of?.everyone === true || of?.userIds.includes(me) === true;
