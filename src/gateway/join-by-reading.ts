import { isBelieved } from '../changes/kinds.ts';
import { isDatabaseUnavailable } from '../db/errors.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Change, Page, ReadPage } from './change.ts';
import { frameFor } from './fan-out.ts';
import type { LocalChat } from './local-chat.ts';
import type { Member } from './member.ts';
import { resetFrame } from './reset.ts';

/** A join that reads is served from the tail for as long as this; then it reads on. */
const mostTail = 256;

/** The chat as a member is about to be shown it, who has not heard of it. */
export interface Introduction {
  /** Its number: the object holds what changed up to here, but for the messages. */
  through: number;
  /** `chat.created`, with another number in the place of its own. */
  frame(eventSequence: number): string;
}

export interface JoinOptions {
  /** How many rows there are beyond `from`, as far as that is known. */
  expected?: number;
  introduction?: Introduction;
  /** Whether so much more may be sent; once it may not, the chat is reset. Without it there is no limit. */
  mayTell?: (frame: string) => boolean;
}

/**
 * Tells a member that holds the chat everything in `(from, G]` and puts it into the room in the tick of the last frame. While
 * PostgreSQL is away, an introduction waits: begun anew, it would tell again what it has told.
 * @throws what reading throws; the member then is in no room
 */
export type JoinByReading = (
  chat: LocalChat,
  member: Member,
  from: number,
  options: JoinOptions,
) => Promise<void>;

/** What the room was told is kept as long as somebody joins: reading alone would never catch up with a busy chat. */
export function keepInTail(chat: LocalChat, change: Change): void {
  chat.tail.push(change);
  if (chat.tail.length > mostTail) chat.tailAfter = chat.tail.shift()?.eventSequence ?? chat.tailAfter;
}

export function createJoinByReading(deps: {
  readPage: ReadPage;
  /** Brings the room to the end of a page that was read after it had been told up to `delivered`. */
  take: (chat: LocalChat, page: Page, delivered: number | undefined) => unknown;
  leave: (member: Member, chatId: string) => void;
}): JoinByReading {
  const { readPage, take, leave } = deps;

  async function joinByReading(
    chat: LocalChat,
    member: Member,
    from: number,
    { expected, introduction, mayTell }: JoinOptions,
  ): Promise<void> {
    const { id: chatId } = chat;
    let told = from;
    let toIntroduce = introduction;
    let silent = false;
    let failures = 0;

    function introduce(eventSequence: number): void {
      if (toIntroduce) member.send(toIntroduce.frame(eventSequence));
      toIntroduce = undefined;
    }

    /** @returns false once the member has been told of its own removal */
    function tell(change: Change): boolean {
      if (change.onlyTo !== undefined && change.onlyTo !== member.userId) return true;
      const leaves = change.went?.includes(member.userId) === true;
      if (toIntroduce) {
        // Participants are in the introduction; messages are told after it, which takes a number just before the first.
        const inside = change.eventSequence <= toIntroduce.through;
        if (inside && !isBelieved(change.event) && !leaves) return true;
        introduce(inside && !leaves ? change.eventSequence - 1 : toIntroduce.through);
      }
      const frame = frameFor(member, change);
      // What is left out is read all the same: the member's own removal may be in it.
      silent ||= mayTell?.(frame) === false;
      if (!silent || leaves) member.send(frame);
      return !leaves;
    }

    for (;;) {
      const { delivered } = chat;
      // From where the room is, if that is behind the member: it would tell the member again what lies between.
      const after = Math.min(told, delivered ?? told);
      let page: Page | undefined;
      try {
        page = await readPage(chatId, after, expected);
      } catch (error) {
        if (!introduction || member.closed || !isDatabaseUnavailable(error)) throw error;
        await pause(fullJitterMs(failures++));
        continue;
      }
      if (!chat.holders.has(member)) {
        // Removed meanwhile, while it was in no room that would have told it.
        if (!member.closed) member.send(resetFrame({ chatId }));
        return;
      }
      if (!page) {
        member.send(resetFrame({ chatId }));
        return leave(member, chatId);
      }
      take(chat, page, delivered);
      if (told > page.head) {
        // A cursor of a database that was restored: what comes from now on is new to the member.
        silent = true;
        told = page.head;
      }
      const missed = page.changes.filter((change) => change.eventSequence > told);
      if (!missed.every(tell)) return leave(member, chatId);
      told = Math.max(told, page.through);
      if (chat.delivered === undefined || chat.delivered < told || page.through < page.head) continue;
      // What the room was told after the snapshot: from the tail, where it reaches back so far, else by reading on.
      if (told < chat.tailAfter) continue;
      const later = chat.tail.filter((change) => change.eventSequence > told);
      if (!later.every(tell)) return leave(member, chatId);
      if (toIntroduce) introduce(toIntroduce.through);
      if (silent) member.send(resetFrame({ chatId, eventSequence: chat.delivered }));
      chat.room.add(member);
      return;
    }
  }

  return async (chat, member, from, options) => {
    if (chat.joining === 0) {
      chat.tail = [];
      chat.tailAfter = chat.delivered ?? Number.POSITIVE_INFINITY;
    }
    chat.joining += 1;
    try {
      await joinByReading(chat, member, from, options);
    } finally {
      chat.joining -= 1;
      if (chat.joining === 0) chat.tail = [];
    }
  };
}
