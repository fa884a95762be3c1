import { and, eq } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { chatParticipants } from '../db/schema.ts';
import type { ParticipantRole } from '../shared/contract.ts';

/** Under the chat's lock, with a number of its own. */
export async function changeRole(
  tx: Orm,
  { chatId, userId, role }: { chatId: string; userId: string; role: ParticipantRole },
  eventSequence: number,
): Promise<void> {
  await tx
    .update(chatParticipants)
    .set({ role, changedEventSequence: eventSequence })
    .where(participant(chatId, userId));
}

export const participant = (chatId: string, userId: string) =>
  and(eq(chatParticipants.chatId, chatId), eq(chatParticipants.userId, userId));
