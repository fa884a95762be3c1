import { and, eq, isNull, sql } from 'drizzle-orm';
import { type Announce, changeNotification } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { chatParticipants, chats, chatsToPurge } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AuditOf } from '../shared/audit.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import { lockGroup } from './lock-chat.ts';
import { participantFact } from './participant-fact.ts';

/** By an owner. */
export type DeleteChat = (input: { chatId: string; actorId: string; audit: AuditOf }) => Promise<void>;

/**
 * All leave with one number, and are told no more than that. From here on nothing is stored in the chat; its words are purged by the
 * workers.
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_owner`, `database_unavailable`
 */
export function createDeleteChat(deps: { database: Database; facts: Facts; announce: Announce }): DeleteChat {
  const { database, facts, announce } = deps;

  return async ({ chatId, actorId, audit }) => {
    const { gone, eventSequence } = await inTransaction(database, async (tx) => {
      const chat = await lockGroup(tx, chatId, actorId);
      if (chat.role !== 'owner') throw new ChatError('not_owner');

      const eventSequence = chat.eventSequence + 1;
      const now = sql`statement_timestamp()`;
      const gone = await tx
        .update(chatParticipants)
        .set({ leftAt: now, removedBy: actorId, changedEventSequence: eventSequence })
        .where(and(eq(chatParticipants.chatId, chatId), isNull(chatParticipants.leftAt)))
        .returning({ userId: chatParticipants.userId });
      await tx
        .update(chats)
        .set({
          deletedAt: now,
          lastEventSequence: eventSequence,
          name: null,
          avatarUrl: null,
          metadata: null,
        })
        .where(eq(chats.id, chatId));
      await tx.insert(chatsToPurge).values({ chatId, deletedAt: now });
      return { gone, eventSequence };
    });
    audit('chat.deleted', { chatId, participants: gone.length });

    await Promise.all([
      facts.revoke(gone.map(({ userId }) => participantFact(chatId, userId))),
      announce([changeNotification({ chatId, eventSequence, event: 'chat.participant.removed' })]),
    ]);
  };
}
