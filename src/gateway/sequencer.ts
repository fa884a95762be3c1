import type { Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { Subscriber } from '../shared/ports/notifications.ts';
import type { Change, Page, ReadPage } from './change.ts';
import type { FanOut } from './fan-out.ts';
import { createFillGap } from './fill-gap.ts';
import { createHeldBack } from './held-back.ts';
import { createJoinByReading, type JoinOptions, keepInTail } from './join-by-reading.ts';
import type { LocalChat } from './local-chat.ts';
import { createLocalChats, type LocalChats } from './local-chats.ts';
import type { Member } from './member.ts';
import { resetFrame } from './reset.ts';
import { createSequencerMetrics, type GapCause } from './sequencer-metrics.ts';

export interface Sequencer extends Pick<LocalChats, 'now' | 'hold' | 'leave'> {
  /**
   * Puts a member that holds the chat into the room in this same tick.
   * @param head the chat's last number as just read; all the member is told lies beyond
   * @returns false where the room is further, or not so far: `join` then
   */
  enter(member: Member, chatId: string, head: number): boolean;
  /**
   * The one way in: tells the member everything in `(from, G]` and puts it into the room in the tick of the last frame.
   * @throws what reading throws; the member then is in no room, and holds the chat no longer
   */
  join(member: Member, chatId: string, from: number, options?: JoinOptions): Promise<void>;
  /** A change as announced: delivered if it is the next one, held for a moment if it is beyond that. */
  offer(chatId: string, change: Change): void;
  /** Those in the room; nobody while it is being read who still is. */
  room(chatId: string): Iterable<Member>;
  /** Something up to this number is committed. @param cause `unknown` where it is not given: an announcement says no more */
  hint(chatId: string, eventSequence: number, cause?: GapCause): void;
  /**
   * PostgreSQL says that the user was removed with this number; the chat's last number was `head` then. Carried out by the chat's own
   * sequence, so that nothing numbered after it is told. Who is on their way in reads it by themselves.
   */
  removed(userId: string, chatId: string, eventSequence: number, head: number): void;
  /** PostgreSQL, asked after *G* had been `delivered`, says that the chat's last number is a lower one: it was restored. */
  restored(chatId: string, delivered: number, head: number): void;
  /** The chats here with their *G*. */
  delivered(): ReadonlyMap<string, number>;
}

/**
 * Gives every socket every change of its chats in order, once, with no gap: notifications are delivered only where they
 * continue what was delivered, those that come a little too early when their predecessors have come, and everything else is
 * read from PostgreSQL. Changes of participants are always read: who takes part is never taken from a hint.
 */
export function createSequencer(deps: {
  readPage: ReadPage;
  subscriber: Subscriber;
  fanOut: FanOut;
  metrics: Metrics;
  log: Logger;
  /** Someone was added to a chat that has local sockets, or has been told of their removal on their way in. */
  onAdded: (userId: string, chatId: string) => void;
}): Sequencer {
  const { readPage, subscriber, fanOut, metrics, log, onAdded } = deps;
  const measured = createSequencerMetrics(metrics);
  const { chats, now, hold, leave } = createLocalChats({ subscriber, roomOf: fanOut.room, log });
  metrics.read('confab_local_chats', () => chats.size);

  /** To the room, then to *G*. A removal takes effect with its own event: nothing numbered after it reaches the removed. */
  function deliver(chat: LocalChat, change: Change): void {
    measured.told(change, fanOut.tell(chat.room, change));
    chat.delivered = change.eventSequence;
    if (chat.joining > 0) keepInTail(chat, change);
    const { came, went } = change;
    if (came) for (const userId of came) onAdded(userId, chat.id);
    if (!went) return;
    for (const member of went.flatMap((userId) => fanOut.socketsIn(chat.room, userId))) {
      leave(member, chat.id);
      member.removed();
    }
  }

  /** What was held tells on from here. */
  function releaseHeld(chat: LocalChat): void {
    while (chat.heldBack && chat.delivered !== undefined) {
      const next = chat.heldBack.take(chat.delivered + 1);
      if (!next) return;
      deliver(chat, next);
    }
  }

  function setFirst(chat: LocalChat, eventSequence: number): void {
    chat.delivered = eventSequence;
    chat.tailAfter = eventSequence;
    fill(chat);
  }

  /**
   * Brings the room to the end of the page, if the page begins where the room is or earlier.
   * @returns what the room was told
   */
  function absorb(chat: LocalChat, page: Page): readonly Change[] {
    if (chat.delivered === undefined) {
      if (page.through === page.head) setFirst(chat, page.head);
      return [];
    }
    if (page.after > chat.delivered) return [];
    const from = chat.delivered;
    // Not against the running number: participants that changed in one commit may share theirs.
    const missed = page.changes.filter(({ eventSequence }) => eventSequence > from);
    for (const change of missed) deliver(chat, change);
    chat.delivered = Math.max(from, page.through);
    chat.heldBack?.dropThrough(chat.delivered);
    releaseHeld(chat);
    if (page.head > chat.delivered) chat.hinted = Math.max(chat.hinted, page.head);
    fill(chat);
    return missed;
  }

  /** A page that was read after the room had been told up to `delivered`; gives what it is told now. */
  function take(chat: LocalChat, page: Page, delivered: number | undefined): readonly Change[] {
    if (delivered !== undefined && page.head < delivered) startAgain(chat, page.head);
    return absorb(chat, page);
  }

  /** The database was restored to an older state: whoever is in the room reads the chat again, and goes on from there. */
  function startAgain(chat: LocalChat, head: number): void {
    log.warn({ chatId: chat.id, delivered: chat.delivered, head }, 'a chat is older than it was: restored?');
    const frame = resetFrame({ chatId: chat.id, eventSequence: head });
    for (const member of chat.room) member.send(frame);
    chat.delivered = head;
    chat.hinted = 0;
    chat.heldBack?.clear();
    chat.tail = [];
    chat.tailAfter = head;
  }

  function fill(chat: LocalChat, cause: GapCause = 'unknown'): void {
    if (chat.filling || chat.delivered === undefined || chat.hinted <= chat.delivered) return;
    chat.filling = true;
    fillGap(chat, cause).catch((error) => {
      chat.filling = false;
      log.error({ err: error, chatId: chat.id }, 'filling a gap failed');
    });
  }

  const fillGap = createFillGap({
    readPage,
    take,
    isHere: (chat) => chats.get(chat.id) === chat,
    ...{ measured, log },
  });

  function enter(member: Member, chatId: string, head: number): boolean {
    const chat = chats.get(chatId);
    if (!chat?.holders.has(member)) return true;
    if (chat.delivered === undefined) setFirst(chat, head);
    if (chat.delivered !== head) return false;
    chat.room.add(member);
    return true;
  }

  function hintChat(chat: LocalChat, eventSequence: number, cause?: GapCause): void {
    if (chat.delivered !== undefined && eventSequence <= chat.delivered) return;
    chat.hinted = Math.max(chat.hinted, eventSequence);
    fill(chat, cause);
  }

  /** What is being read may be a removal: who is in the room may not belong there any more. */
  function roomOf(chatId: string): Iterable<Member> {
    const chat = chats.get(chatId);
    return chat && !chat.filling ? chat.room : [];
  }

  function holdBack(chat: LocalChat, change: Change): void {
    chat.heldBack ??= createHeldBack((highest) => hintChat(chat, highest, 'lost_hint'));
    chat.heldBack.hold(change);
  }

  const joinByReading = createJoinByReading({
    ...{ readPage, take },
    leave(member, chatId) {
      leave(member, chatId);
      // An adding after that was not looked at: the member held the chat.
      onAdded(member.userId, chatId);
    },
  });

  async function join(
    member: Member,
    chatId: string,
    from: number,
    options: JoinOptions = {},
  ): Promise<void> {
    const chat = chats.get(chatId);
    if (!chat) return;
    try {
      await joinByReading(chat, member, from, options);
    } catch (error) {
      if (chats.get(chatId) === chat) leave(member, chatId);
      throw error;
    }
  }

  return {
    ...{ now, hold, leave, enter, join },

    offer(chatId, change) {
      const chat = chats.get(chatId);
      if (!chat) return;
      const { delivered } = chat;
      if (delivered === undefined) return hintChat(chat, change.eventSequence);
      const ahead = change.eventSequence - delivered;
      measured.announced(ahead > 1 ? 'gap' : ahead < 1 ? 'old' : 'delivered');
      if (ahead > 1) return holdBack(chat, change);
      if (ahead < 1) return measured.heard(chatId, change.eventSequence);
      deliver(chat, change);
      releaseHeld(chat);
    },

    room: roomOf,

    hint(chatId, eventSequence, cause) {
      const chat = chats.get(chatId);
      if (!chat) return;
      if (cause !== 'comparison') measured.heard(chatId, eventSequence);
      else if (chat.delivered !== undefined && eventSequence > chat.delivered)
        measured.found(chatId, eventSequence);
      hintChat(chat, eventSequence, cause);
    },

    removed(userId, chatId, eventSequence, head) {
      const chat = chats.get(chatId);
      if (!chat) return;
      hintChat(chat, eventSequence);
      const { delivered } = chat;
      // Beyond `head` the room may have been told that the user was added again. What is left was never told of the removal: the
      // database was restored.
      if (delivered === undefined || delivered < eventSequence || delivered > head) return;
      for (const member of fanOut.socketsIn(chat.room, userId)) leave(member, chatId);
    },

    restored(chatId, delivered, head) {
      const chat = chats.get(chatId);
      if (chat?.delivered !== undefined && chat.delivered >= delivered && head < delivered)
        startAgain(chat, head);
    },

    delivered() {
      const numbers = new Map<string, number>();
      for (const chat of chats.values())
        if (chat.delivered !== undefined) numbers.set(chat.id, chat.delivered);
      return numbers;
    },
  };
}
