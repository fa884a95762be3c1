import { inArray } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { users } from '../db/schema.ts';
import { ChatError } from '../shared/errors.ts';

/** @throws ChatError `user_not_found`, naming the first who is missing */
export async function assertUsersExist(tx: Orm, userIds: readonly string[]): Promise<void> {
  const rows = await tx
    .select({ id: users.id })
    .from(users)
    .where(inArray(users.id, [...userIds]));
  const known = new Set(rows.map(({ id }) => id));
  const missing = userIds.find((userId) => !known.has(userId));
  if (missing !== undefined) throw new ChatError('user_not_found', `There is no user ${missing}.`);
}
