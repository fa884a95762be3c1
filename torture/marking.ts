import type { TortureClient } from './client.ts';
import type { Random } from './random.ts';

export interface Marking {
  /** Marks chats as read, and messages as unread, at the rate until `stop`; and types, at the same rate. */
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const tickMs = 50;
const unreadShare = 0.2;
/** Of the reads, those of a device on whose screen the chat is: it says what it knows. */
const byItselfShare = 0.4;
/** Of the reads, those to the last message; the others to one before it. */
const toTheEndShare = 0.6;
/** The others stop. */
const typingShare = 0.8;
/** So far back messages are marked as unread. */
const mostUnread = 60;

/** As the people at the devices do it, and not again where it is not answered: nobody knows then whether it was done. */
export function createMarking(options: {
  random: Random;
  clients: readonly TortureClient[];
  marksASecond: number;
}): Marking {
  const { random, clients, marksASecond } = options;
  const underWay = new Set<Promise<unknown>>();
  let timer: ReturnType<typeof setInterval> | undefined;

  function mark(): Promise<void> | undefined {
    const client = random.pick(clients);
    const chatIds = [...client.cursors().keys()];
    if (chatIds.length === 0) return undefined;
    const chatId = random.pick(chatIds);
    const { membership, told } = client.unread(chatId);
    const last = Math.max(1, membership.lastSequence, ...told.keys());
    if (random.next() < unreadShare) {
      return client.markUnread(chatId, random.integer(Math.max(1, last - mostUnread), last));
    }
    const version = random.next() < byItselfShare ? membership.version : undefined;
    const marker = Math.min(membership.lastReadSequence, last);
    const to = random.next() < toTheEndShare ? last : random.integer(marker, last);
    return client.markRead(chatId, to, version);
  }

  function type(): Promise<unknown> | undefined {
    const client = random.pick(clients);
    const chatIds = [...client.cursors().keys()];
    return chatIds.length > 0 ? client.type(random.pick(chatIds), random.next() < typingShare) : undefined;
  }

  function begin(asked: Promise<unknown> | undefined): void {
    if (!asked) return;
    const work = asked.finally(() => underWay.delete(work));
    underWay.add(work);
  }

  return {
    start() {
      timer = setInterval(() => {
        for (const each of [mark, type]) if (random.next() < (marksASecond * tickMs) / 1_000) begin(each());
      }, tickMs);
    },
    async stop() {
      clearInterval(timer);
      await Promise.allSettled(underWay);
    },
  };
}
