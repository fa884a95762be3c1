import { and, eq, isNull, sql } from 'drizzle-orm';
import { type Announce, changeNotification, membershipHint } from '../changes/announce.ts';
import type { Database, Orm } from '../db/database.ts';
import { chatParticipants } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import { advanceEventSequence, lockGroup } from './lock-chat.ts';
import { participantFact } from './participant-fact.ts';
import { readParticipants } from './read-participants.ts';

/** The actor may be the one to leave. */
export type RemoveParticipant = (input: { chatId: string; actorId: string; userId: string }) => Promise<void>;

export interface RemoveParticipantDependencies {
  database: Database;
  facts: Facts;
  announce: Announce;
}

/**
 * The last owner's leaving passes the chat to its longest member; that is a change with a number of its own.
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_owner`, `user_not_found`, `database_unavailable`
 */
export function createRemoveParticipant(deps: RemoveParticipantDependencies): RemoveParticipant {
  const { database, facts, announce } = deps;

  return async ({ chatId, actorId, userId }) => {
    const { number, heirId } = await inTransaction(database, async (tx) => {
      const chat = await lockGroup(tx, chatId, actorId);
      if (userId !== actorId && chat.role !== 'owner') throw new ChatError('not_owner');
      const [removed] = await readParticipants(tx, chatId, [userId], actorId);
      if (!removed) throw new ChatError('user_not_found', 'This user takes no part in the chat.');

      const number = chat.eventSequence + 1;
      await tx
        .update(chatParticipants)
        .set({ leftAt: sql`statement_timestamp()`, removedBy: actorId, changedEventSequence: number })
        .where(participant(chatId, userId));
      const heirId = removed.role === 'owner' ? await passOnOwnership(tx, chatId, number + 1) : undefined;
      await advanceEventSequence(tx, chatId, heirId ? number + 1 : number);
      return { number, heirId };
    });

    await Promise.all([
      facts.revoke([participantFact(chatId, userId)]),
      announce([
        changeNotification({ chatId, eventSequence: number, event: 'chat.participant.removed' }),
        membershipHint(chatId, userId, number),
        ...(heirId
          ? [changeNotification({ chatId, eventSequence: number + 1, event: 'chat.participant.added' })]
          : []),
      ]),
    ]);
  };
}

const participant = (chatId: string, userId: string) =>
  and(eq(chatParticipants.chatId, chatId), eq(chatParticipants.userId, userId));

/** @returns the new owner; undefined where an owner is left, or nobody at all */
async function passOnOwnership(tx: Orm, chatId: string, number: number): Promise<string | undefined> {
  // Owners first, then the longest members.
  const [first] = await tx
    .select({ userId: chatParticipants.userId, role: chatParticipants.role })
    .from(chatParticipants)
    .where(and(eq(chatParticipants.chatId, chatId), isNull(chatParticipants.leftAt)))
    .orderBy(
      sql`${chatParticipants.role} = 'owner' DESC`,
      chatParticipants.joinedAt,
      chatParticipants.createdEventSequence,
    )
    .limit(1);
  if (!first || first.role === 'owner') return undefined;
  await tx
    .update(chatParticipants)
    .set({ role: 'owner', changedEventSequence: number })
    .where(participant(chatId, first.userId));
  return first.userId;
}
