import { type Announce, changeNotification } from '../changes/announce.ts';
import { reactions as kind } from '../changes/reactions.ts';
import type { Database } from '../db/database.ts';
import { toCaller } from '../db/errors.ts';
import { type ReactionWrite, type WrittenReaction, writeReactions } from '../db/queries/reactions.ts';
import type { MessageReactions } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Notification } from '../shared/ports/notifications.ts';

/**
 * Sets a reaction, or takes it back; what is so already changes nothing.
 * @throws ChatError `chat_not_found`, `message_not_found`, `message_deleted`, `too_many_reactions`, `database_unavailable`: then it
 * is unknown whether it was committed
 */
export type React = (reaction: ReactionWrite & { chatId: string }) => Promise<MessageReactions>;

interface Waiting {
  write: ReactionWrite;
  written: PromiseWithResolvers<MessageReactions>;
}

/** From one writing of a chat to the next, and how long the first of all waits for others. */
const gatherMs = 50;
/** In chats of many, whom each event costs as much as a message. */
const gatherManyMs = 500;
/** Of one call, under the chat's lock. */
const mostWritten = 1_000;
/** Of one event: beyond it nobody is told by it what they did elsewhere. */
const mostBy = 50;

/**
 * Writes the reactions of each chat with one call, one call at a time: then everybody is told once of each message, however many
 * have reacted to it.
 * @param deps.liveMax chats of more participants are told less often
 */
export function createGatherReactions(deps: {
  database: Database;
  announce: Announce;
  liveMax: number;
}): React {
  const { database, announce, liveMax } = deps;
  const chats = new Map<string, Waiting[]>();

  async function next(chatId: string): Promise<void> {
    const waiting = chats.get(chatId) ?? [];
    const batch = waiting.splice(0, mostWritten);
    if (batch.length === 0) {
      chats.delete(chatId);
      return;
    }
    const begunAt = performance.now();
    let pauseMs = gatherMs;
    try {
      const written = await writeReactions(
        database,
        chatId,
        batch.map(({ write }) => write),
      );
      if ((written[0]?.participants ?? 0) > liveMax) pauseMs = gatherManyMs;
      settle(chatId, batch, written);
    } catch (error) {
      for (const { written } of batch) written.reject(toCaller(error));
    }
    later(chatId, pauseMs - (performance.now() - begunAt));
  }

  const later = (chatId: string, ms: number) => setTimeout(() => void next(chatId), Math.max(0, ms));

  function settle(chatId: string, batch: readonly Waiting[], written: readonly WrittenReaction[]): void {
    const pairs = batch.map((one, at) => ({ ...one, is: written[at] }));
    const notifications: Notification[] = [];
    for (const [sequence, ofMessage] of Map.groupBy(pairs, ({ is }) => is?.sequence)) {
      const [first] = ofMessage;
      const shown = first?.is?.reactions ?? [];
      const eventSequence = first?.is?.eventSequence ?? 0;
      for (const { write, written, is } of ofMessage) {
        if (is?.verdict === 'changed' || is?.verdict === 'unchanged') {
          const own = new Set(is.own);
          written.resolve({
            messageId: write.messageId,
            reactions: shown.map((one) => (own.has(one.key) ? { ...one, own: true } : one)),
            eventSequence,
          });
        } else written.reject(new ChatError(is?.verdict ?? 'message_not_found'));
      }
      const by = ofMessage.flatMap(({ write: { userId, key, present }, is }) =>
        is?.verdict === 'changed' ? [{ userId, key, present }] : [],
      );
      if (!first || !sequence || by.length === 0) continue;
      const told = by.length > mostBy ? {} : { by };
      const row = { messageId: first.write.messageId, sequence, reactions: shown, ...told };
      notifications.push(changeNotification(kind.tell({ chatId, eventSequence }, [row])));
    }
    if (notifications.length > 0) void announce(notifications);
  }

  return ({ chatId, ...write }) => {
    const one = { write, written: Promise.withResolvers<MessageReactions>() };
    const waiting = chats.get(chatId);
    if (waiting) waiting.push(one);
    else {
      chats.set(chatId, [one]);
      later(chatId, gatherMs);
    }
    return one.written.promise;
  };
}
