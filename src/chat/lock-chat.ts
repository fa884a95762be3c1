import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { chatParticipants, chats } from '../db/schema.ts';
import type { ParticipantRole } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';

export interface LockedChat {
  /** The number of the chat's last change; the next one is one more. */
  eventSequence: number;
  lastSequence: number;
  participantCount: number;
  /** The actor's. */
  role: ParticipantRole;
}

/**
 * Locks a group's row, under which everything in it is numbered, until the transaction ends. Those who take no part in it
 * never get the lock.
 * @throws ChatError `chat_not_found`, `chat_is_direct`
 */
export async function lockGroup(tx: Orm, chatId: string, actorId: string): Promise<LockedChat> {
  const actor = and(
    eq(chatParticipants.chatId, chatId),
    eq(chatParticipants.userId, actorId),
    isNull(chatParticipants.leftAt),
  );
  const [chat] = await tx
    .select({
      isGroup: chats.isGroup,
      eventSequence: chats.lastEventSequence,
      lastSequence: chats.lastSequence,
      participantCount: chats.participantCount,
    })
    .from(chats)
    .where(and(eq(chats.id, chatId), sql`EXISTS (SELECT FROM ${chatParticipants} WHERE ${actor})`))
    .for('update');
  if (!chat) throw new ChatError('chat_not_found');

  // Again, in a statement of its own: the one above saw what was committed before it waited for the lock.
  const [{ role } = { role: undefined }] = await tx
    .select({ role: chatParticipants.role })
    .from(chatParticipants)
    .where(actor);
  if (!role) throw new ChatError('chat_not_found');
  const { isGroup, ...locked } = chat;
  if (!isGroup) throw new ChatError('chat_is_direct');
  return { ...locked, role };
}

/** Under the lock, with the number of the last change made. */
export async function advanceEventSequence(tx: Orm, chatId: string, eventSequence: number): Promise<void> {
  await tx.update(chats).set({ lastEventSequence: eventSequence }).where(eq(chats.id, chatId));
}
