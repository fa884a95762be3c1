import { type Announce, changeNotification } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { toParticipant } from '../db/queries/participant-columns.ts';
import { inTransaction } from '../db/transaction.ts';
import type { AuditOf } from '../shared/audit.ts';
import type { Participant, ParticipantRole } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Facts } from '../shared/ports/admission.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { changeRole } from './change-role.ts';
import { hasAnotherOwner } from './leaders.ts';
import { advanceEventSequence, lockGroup } from './lock-chat.ts';
import { participantFact } from './participant-fact.ts';
import { readParticipant } from './read-participants.ts';

/** The actor may be the one to step down. A role that one has already takes no number. */
export type SetRole = (input: {
  chatId: string;
  actorId: string;
  userId: string;
  role: ParticipantRole;
  audit: AuditOf;
}) => Promise<Participant>;

/**
 * @throws ChatError `chat_not_found`, `chat_is_direct`, `not_owner`, `user_not_found`, `last_owner`, `database_unavailable`
 */
export function createSetRole(deps: {
  database: Database;
  facts: Facts;
  presence: Presence;
  announce: Announce;
}): SetRole {
  const { database, facts, presence, announce } = deps;

  return async ({ chatId, actorId, userId, role, audit }) => {
    const { stored, eventSequence } = await inTransaction(database, async (tx) => {
      const chat = await lockGroup(tx, chatId, actorId);
      if (chat.role !== 'owner') throw new ChatError('not_owner');
      const known = await readParticipant(tx, chatId, userId, actorId);
      if (known.role === role) return { stored: known, eventSequence: undefined };
      if (userId === actorId && !(await hasAnotherOwner(tx, chatId, userId)))
        throw new ChatError('last_owner');

      const eventSequence = chat.eventSequence + 1;
      await changeRole(tx, { chatId, userId, role }, eventSequence);
      await advanceEventSequence(tx, chatId, eventSequence);
      return { stored: { ...known, role }, eventSequence };
    });

    if (eventSequence) audit('role.changed', { chatId, userId, role });
    const [online] = await Promise.all([
      presence.online([userId]),
      eventSequence
        ? announce([changeNotification({ chatId, eventSequence, event: 'chat.participant.added' })])
        : undefined,
      // Who led could post where members may not.
      eventSequence && role === 'member' ? facts.revoke([participantFact(chatId, userId)]) : undefined,
    ]);
    return toParticipant(stored, online);
  };
}
