import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Subscriber, Topic } from '../shared/notifications/notifications.ts';
import type { Change, Page, ReadPage } from './change.ts';
import { type FanOut, frameFor } from './fan-out.ts';
import type { Member } from './member.ts';
import type { NativeRoom } from './native-room.ts';
import { resetFrame } from './reset.ts';
import { subscribeWithin } from './subscribe.ts';

/** A chat with at least one local socket. */
interface LocalChat {
  readonly id: string;
  /** *G*: the last `eventSequence` delivered to the room; undefined until the first socket enters. */
  delivered: number | undefined;
  /** The sockets that are told. */
  readonly room: NativeRoom<Member>;
  /** Those in the room and those on their way; the last one to leave ends the chat here, and with it *G*. */
  readonly holders: Set<Member>;
  /** The highest number hinted that is not delivered yet; 0 for none. */
  hinted: number;
  filling: boolean;
  /** Resolves when its topic is acknowledged. */
  readonly subscribed: Promise<void>;
  /** When that was, on the sequencer's own clock. */
  subscribedAt: number | undefined;
  /** What was delivered in `(tailAfter, delivered]`, kept while sockets join by reading. */
  tail: Change[];
  tailAfter: number;
  joining: number;
}

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

export interface Sequencer {
  /** A point in time before which a topic was subscribed, or not. */
  now(): number;
  /**
   * Holds the chats for the member and resolves when their topics are acknowledged.
   * @param readAt when the heads that the caller knows were read
   * @returns whether those heads will do; if not, a notification may have been missed: read them again
   */
  hold(member: Member, chatIds: readonly string[], readAt: number): Promise<boolean>;
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
  leave(member: Member, chatId: string): void;
  /** A message as announced: delivered if it is the next one. */
  offer(chatId: string, change: Change): void;
  /** Something up to this number is committed. */
  hint(chatId: string, eventSequence: number): void;
  /** PostgreSQL, asked after *G* had been `delivered`, says that the chat's last number is a lower one: it was restored. */
  restored(chatId: string, delivered: number, head: number): void;
  /** The chats here with their *G*. */
  delivered(): ReadonlyMap<string, number>;
}

/**
 * Gives every socket every change of its chats in order, once, with no gap: notifications are delivered only where they
 * continue what was delivered, everything else is read from PostgreSQL. Changes of participants are always read: who takes
 * part is never taken from a hint.
 */
export function createSequencer(deps: {
  readPage: ReadPage;
  subscriber: Subscriber;
  fanOut: FanOut;
  log: Logger;
  /** Someone was added to a chat that has local sockets. */
  onAdded: (userId: string, chatId: string) => void;
}): Sequencer {
  const { readPage, subscriber, fanOut, log, onAdded } = deps;
  const chats = new Map<string, LocalChat>();
  let clock = 0;

  function open(chatIds: readonly string[]): void {
    const topics = chatIds.map((chatId): Topic => `chat:${chatId}`);
    const subscribed = subscribeWithin(subscriber, topics, log);
    for (const chatId of chatIds) {
      chats.set(chatId, {
        id: chatId,
        delivered: undefined,
        room: fanOut.room(chatId),
        holders: new Set(),
        hinted: 0,
        filling: false,
        subscribed,
        subscribedAt: undefined,
        tail: [],
        tailAfter: 0,
        joining: 0,
      });
    }
    const opened = chatIds.map((chatId) => chats.get(chatId));
    subscribed.then(() => {
      clock += 1;
      for (const chat of opened) if (chat) chat.subscribedAt = clock;
    });
  }

  function leave(member: Member, chatId: string): void {
    member.chats.delete(chatId);
    const chat = chats.get(chatId);
    if (!chat) return;
    chat.room.delete(member);
    chat.holders.delete(member);
    if (chat.holders.size > 0) return;
    chats.delete(chatId);
    subscriber.unsubscribe([`chat:${chatId}`]).catch((error) => {
      log.warn({ err: error, chatId }, 'unsubscribing failed');
    });
  }

  /** To the room, then to *G*. A removal takes effect with its own event: nothing numbered after it reaches the removed. */
  function deliver(chat: LocalChat, change: Change): void {
    fanOut.tell(chat.room, change);
    chat.delivered = change.eventSequence;
    if (chat.joining > 0) keepInTail(chat, change);
    if (change.kind !== 'participant') return;
    if (change.present) {
      onAdded(change.userId, chat.id);
      return;
    }
    for (const member of [...chat.room]) {
      if (member.userId === change.userId) leave(member, chat.id);
    }
  }

  function keepInTail(chat: LocalChat, change: Change): void {
    chat.tail.push(change);
    if (chat.tail.length > mostTail) chat.tailAfter = chat.tail.shift()?.eventSequence ?? chat.tailAfter;
  }

  function setFirst(chat: LocalChat, eventSequence: number): void {
    chat.delivered = eventSequence;
    chat.tailAfter = eventSequence;
    fill(chat);
  }

  /** Brings the room to the end of the page, if the page begins where the room is or earlier. */
  function absorb(chat: LocalChat, page: Page): void {
    if (chat.delivered === undefined) {
      if (page.through === page.head) setFirst(chat, page.head);
      return;
    }
    if (page.after > chat.delivered) return;
    const from = chat.delivered;
    for (const change of page.changes) {
      // Not against the running number: participants that changed in one commit may share theirs.
      if (change.eventSequence > from) deliver(chat, change);
    }
    chat.delivered = Math.max(from, page.through);
    if (page.head > chat.delivered) chat.hinted = Math.max(chat.hinted, page.head);
    fill(chat);
  }

  /** A page that was read after the room had been told up to `delivered`. */
  function take(chat: LocalChat, page: Page, delivered: number | undefined): void {
    if (delivered !== undefined && page.head < delivered) startAgain(chat, page.head);
    absorb(chat, page);
  }

  /** The database was restored to an older state: whoever is in the room reads the chat again, and goes on from there. */
  function startAgain(chat: LocalChat, head: number): void {
    log.warn({ chatId: chat.id, delivered: chat.delivered, head }, 'a chat is older than it was: restored?');
    const frame = resetFrame({ chatId: chat.id, eventSequence: head });
    for (const member of chat.room) member.send(frame);
    chat.delivered = head;
    chat.hinted = 0;
    chat.tail = [];
    chat.tailAfter = head;
  }

  function fill(chat: LocalChat): void {
    if (chat.filling || chat.delivered === undefined || chat.hinted <= chat.delivered) return;
    chat.filling = true;
    fillGap(chat).catch((error) => {
      chat.filling = false;
      log.error({ err: error, chatId: chat.id }, 'filling a gap failed');
    });
  }

  /** One read at a time; of what is hinted meanwhile only the highest number is kept, and read next. */
  async function fillGap(chat: LocalChat): Promise<void> {
    let failures = 0;
    const here = () => chats.get(chat.id) === chat;
    while (here() && chat.delivered !== undefined && chat.hinted > chat.delivered) {
      const after = chat.delivered;
      const wanted = chat.hinted;
      chat.hinted = 0;
      try {
        const page = await readPage(chat.id, after, wanted - after);
        failures = 0;
        if (!here()) break;
        // A hint for what PostgreSQL does not have is forged, or from a database that was restored: it is not obeyed.
        if (page) take(chat, page, after);
      } catch (error) {
        chat.hinted = Math.max(chat.hinted, wanted);
        if (failures === 0) log.warn({ err: error, chatId: chat.id }, 'reading a gap failed; trying again');
        await pause(fullJitterMs(failures));
        failures += 1;
      }
    }
    // In the same tick as the last look at `hinted`: a hint after this starts the next fill.
    chat.filling = false;
  }

  function enter(member: Member, chatId: string, head: number): boolean {
    const chat = chats.get(chatId);
    if (!chat?.holders.has(member)) return true;
    if (chat.delivered === undefined) setFirst(chat, head);
    if (chat.delivered !== head) return false;
    chat.room.add(member);
    return true;
  }

  function hintChat(chat: LocalChat, eventSequence: number): void {
    if (chat.delivered !== undefined && eventSequence <= chat.delivered) return;
    chat.hinted = Math.max(chat.hinted, eventSequence);
    fill(chat);
  }

  async function join(
    member: Member,
    chatId: string,
    from: number,
    options: JoinOptions = {},
  ): Promise<void> {
    const chat = chats.get(chatId);
    if (!chat) return;
    if (chat.joining === 0) {
      chat.tail = [];
      chat.tailAfter = chat.delivered ?? Number.POSITIVE_INFINITY;
    }
    chat.joining += 1;
    try {
      await joinByReading(chat, member, from, options);
    } catch (error) {
      if (chats.get(chatId) === chat) leave(member, chatId);
      throw error;
    } finally {
      chat.joining -= 1;
      if (chat.joining === 0) chat.tail = [];
    }
  }

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

    function introduce(eventSequence: number): void {
      if (toIntroduce) member.send(toIntroduce.frame(eventSequence));
      toIntroduce = undefined;
    }

    /** @returns false once the member has been told of its own removal */
    function tell(change: Change): boolean {
      const leaves = change.kind === 'participant' && !change.present && change.userId === member.userId;
      if (toIntroduce) {
        // Participants are in the introduction; messages are told after it, which takes a number just before the first.
        const inside = change.eventSequence <= toIntroduce.through;
        if (inside && change.kind === 'participant' && !leaves) return true;
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
      const page = await readPage(chatId, after, expected);
      if (!chat.holders.has(member)) return;
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

  return {
    now: () => {
      clock += 1;
      return clock;
    },

    async hold(member, chatIds, readAt) {
      if (member.closed) return true;
      const closed = chatIds.filter((chatId) => !chats.has(chatId));
      if (closed.length > 0) open(closed);
      const held = chatIds.flatMap((chatId) => chats.get(chatId) ?? []);
      for (const chat of held) {
        chat.holders.add(member);
        member.chats.add(chat.id);
      }
      // A room that is told already knows its own number; for the others the heads must be younger than the subscription.
      const late = held.filter((chat) => chat.delivered === undefined && !subscribedBefore(chat, readAt));
      await Promise.all(new Set(late.map((chat) => chat.subscribed)));
      return late.length === 0;
    },

    enter,
    join,
    leave,

    offer(chatId, change) {
      const chat = chats.get(chatId);
      if (!chat) return;
      if (change.eventSequence === (chat.delivered ?? Number.NaN) + 1) deliver(chat, change);
      else hintChat(chat, change.eventSequence);
    },

    hint(chatId, eventSequence) {
      const chat = chats.get(chatId);
      if (chat) hintChat(chat, eventSequence);
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

const subscribedBefore = (chat: LocalChat, readAt: number): boolean =>
  chat.subscribedAt !== undefined && chat.subscribedAt < readAt;
