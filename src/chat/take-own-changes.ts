import { inArray, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { users } from '../db/schema.ts';

/**
 * A number of each user's own for the membership that is about to be theirs. It locks the users in the order of their ids, for the
 * triggers of `chat_participants`, too, which lock them again: two that add the same users to two chats would else wait for each
 * other.
 */
export async function takeOwnChanges(
  tx: Orm,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const these = inArray(users.id, [...userIds]);
  if (userIds.length > 1) {
    await tx.select({ id: users.id }).from(users).where(these).orderBy(users.id).for('no key update');
  }
  const taken = await tx
    .update(users)
    .set({ ownChanges: sql`${users.ownChanges} + 1` })
    .where(these)
    .returning({ id: users.id, number: users.ownChanges });
  return new Map(taken.map(({ id, number }) => [id, number]));
}
