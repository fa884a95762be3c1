import { sql } from 'drizzle-orm';
import { type Announce, changeNotification, membershipHint } from '../changes/announce.ts';
import type { Database, Orm } from '../db/database.ts';
import { chatParticipants } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AuditOf } from '../shared/audit.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import { changeRole, participant } from './change-role.ts';
import { findHeir } from './leaders.ts';
import { advanceEventSequence, lockGroup } from './lock-chat.ts';
import { participantFact } from './participant-fact.ts';
import { readParticipant } from './read-participants.ts';

/** The actor may be the one to leave. */
export type RemoveParticipant = (input: {
  chatId: string;
  actorId: string;
  userId: string;
  audit: AuditOf;
}) => Promise<void>;

export interface RemoveParticipantDependencies {
  database: Database;
  facts: Facts;
  announce: Announce;
}

/**
 * Owners remove anyone, admins members. The last owner's leaving passes the chat to its longest admin, where there is none to its
 * longest member, to those who are not deactivated first; that is a change with a number of its own.
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_owner`, `user_not_found`, `database_unavailable`
 */
export function createRemoveParticipant(deps: RemoveParticipantDependencies): RemoveParticipant {
  const { database, facts, announce } = deps;

  return async ({ chatId, actorId, userId, audit }) => {
    const { number, heirId } = await inTransaction(database, async (tx) => {
      const chat = await lockGroup(tx, chatId, actorId);
      const isAnother = userId !== actorId;
      if (isAnother && chat.role === 'member') throw new ChatError('not_owner');
      const removed = await readParticipant(tx, chatId, userId, actorId);
      if (isAnother && chat.role === 'admin' && removed.role !== 'member') throw new ChatError('not_owner');

      const number = chat.eventSequence + 1;
      await tx
        .update(chatParticipants)
        .set({ leftAt: sql`statement_timestamp()`, removedBy: actorId, changedEventSequence: number })
        .where(participant(chatId, userId));
      const heirId = removed.role === 'owner' ? await passOnOwnership(tx, chatId, number + 1) : undefined;
      await advanceEventSequence(tx, chatId, heirId ? number + 1 : number);
      return { number, heirId };
    });
    audit('participant.removed', { chatId, userId });
    if (heirId) audit('role.changed', { chatId, userId: heirId, role: 'owner' });

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

/** @returns the new owner; undefined where an owner is left, or nobody at all */
async function passOnOwnership(tx: Orm, chatId: string, number: number): Promise<string | undefined> {
  const heir = await findHeir(tx, chatId);
  if (!heir || heir.role === 'owner') return undefined;
  await changeRole(tx, { chatId, userId: heir.userId, role: 'owner' }, number);
  return heir.userId;
}
