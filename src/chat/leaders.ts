import { and, eq, ne, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { chatParticipants } from '../db/schema.ts';
import type { ParticipantRole } from '../shared/contract.ts';

/** Owners and admins, by the index that has them alone: with many in the chat nobody reads them under its lock. */
const leads = (chatId: string) =>
  and(
    eq(chatParticipants.chatId, chatId),
    sql`${chatParticipants.leftAt} IS NULL AND ${chatParticipants.role} <> 'member'`,
  );

const isActive = sql<boolean>`(SELECT u.deactivated_at IS NULL FROM users u WHERE u.id = ${chatParticipants.userId})`;

const longest = [chatParticipants.joinedAt, chatParticipants.createdEventSequence, chatParticipants.userId];

export async function hasAnotherOwner(tx: Orm, chatId: string, userId: string): Promise<boolean> {
  const [other] = await tx
    .select({ userId: chatParticipants.userId })
    .from(chatParticipants)
    .where(and(leads(chatId), eq(chatParticipants.role, 'owner'), ne(chatParticipants.userId, userId)))
    .limit(1);
  return other !== undefined;
}

/**
 * Whose the chat is: an owner's, else its longest admin's or its longest member's, of those who are deactivated only where all are.
 */
export async function findHeir(
  tx: Orm,
  chatId: string,
): Promise<{ userId: string; role: ParticipantRole } | undefined> {
  const [leader] = await tx
    .select({ userId: chatParticipants.userId, role: chatParticipants.role, isActive })
    .from(chatParticipants)
    .where(leads(chatId))
    .orderBy(sql`${chatParticipants.role} = 'owner' DESC, ${isActive} DESC`, ...longest)
    .limit(1);
  if (leader && (leader.role === 'owner' || leader.isActive)) return leader;

  const present = and(
    eq(chatParticipants.chatId, chatId),
    sql`${chatParticipants.leftAt} IS NULL AND ${chatParticipants.createdEventSequence} >= 0`,
  );
  const longestOf = (who: typeof present) =>
    tx
      .select({ userId: chatParticipants.userId, role: chatParticipants.role })
      .from(chatParticipants)
      .where(who)
      .orderBy(...longest)
      .limit(1);
  const [active] = await longestOf(and(present, isActive));
  return active ?? leader ?? (await longestOf(present))[0];
}
