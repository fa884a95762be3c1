import type { Logger } from '../shared/log.ts';
import type { Subscriber, Topic } from '../shared/ports/notifications.ts';
import { type LocalChat, newLocalChat } from './local-chat.ts';
import type { Member } from './member.ts';
import { createSubscribeWithin } from './subscribe.ts';

/** The chats with local sockets. What is announced of them is subscribed from the first holder to the last. */
export interface LocalChats {
  readonly chats: ReadonlyMap<string, LocalChat>;
  /** A point in time before which a topic was subscribed, or not. */
  now(): number;
  /**
   * Holds the chats for the member and resolves when their topics are acknowledged.
   * @param readAt when the heads that the caller knows were read
   * @returns whether those heads will do; if not, a notification may have been missed: read them again
   */
  hold(member: Member, chatIds: readonly string[], readAt: number): Promise<boolean>;
  leave(member: Member, chatId: string): void;
}

export function createLocalChats(deps: {
  subscriber: Subscriber;
  roomOf: (chatId: string) => LocalChat['room'];
  log: Logger;
}): LocalChats {
  const { subscriber, roomOf, log } = deps;
  const subscribeWithin = createSubscribeWithin(subscriber, log);
  const chats = new Map<string, LocalChat>();
  let clock = 0;

  function open(chatIds: readonly string[]): void {
    const topics = chatIds.map((chatId): Topic => `chat:${chatId}`);
    const subscribed = subscribeWithin(topics);
    const opened = chatIds.map((chatId) => newLocalChat(chatId, roomOf(chatId), subscribed));
    for (const chat of opened) chats.set(chat.id, chat);
    subscribed.then(() => {
      clock += 1;
      for (const chat of opened) chat.subscribedAt = clock;
    });
  }

  return {
    chats,

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

    leave(member, chatId) {
      member.chats.delete(chatId);
      const chat = chats.get(chatId);
      if (!chat) return;
      chat.room.delete(member);
      chat.holders.delete(member);
      if (chat.holders.size > 0) return;
      chats.delete(chatId);
      chat.heldBack?.clear();
      subscriber.unsubscribe([`chat:${chatId}`]).catch((error) => {
        log.warn({ err: error, chatId }, 'unsubscribing failed');
      });
    },
  };
}

const subscribedBefore = (chat: LocalChat, readAt: number): boolean =>
  chat.subscribedAt !== undefined && chat.subscribedAt < readAt;
