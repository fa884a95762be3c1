import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { iso, type Orm } from '../db/database.ts';
import type { StoredParticipant } from '../db/queries/participant-columns.ts';
import { shownName } from '../db/queries/shown-name.ts';
import { chatParticipants, users } from '../db/schema.ts';
import { ChatError } from '../shared/errors.ts';

/** Those of the users who take part in the chat, as the transaction sees them, and as the viewer may. */
export function readParticipants(
  tx: Orm,
  chatId: string,
  userIds: readonly string[],
  viewerId: string,
): Promise<StoredParticipant[]> {
  const viewer = alias(users, 'viewer');
  return tx
    .select({
      userId: chatParticipants.userId,
      displayName: sql<string>`${sql.raw(shownName('"users"'))}`,
      avatarUrl: users.avatarUrl,
      role: chatParticipants.role,
      joinedAt: sql<string>`${sql.raw(iso('"chat_participants"."joined_at"'))}`,
      showsPresence: sql<boolean>`${users.showPresence} AND ${viewer.showPresence}`,
    })
    .from(chatParticipants)
    .innerJoin(users, eq(users.id, chatParticipants.userId))
    .innerJoin(viewer, eq(viewer.id, viewerId))
    .where(
      and(
        eq(chatParticipants.chatId, chatId),
        inArray(chatParticipants.userId, [...userIds]),
        isNull(chatParticipants.leftAt),
      ),
    );
}

/** One of them. @throws ChatError `user_not_found` */
export async function readParticipant(
  tx: Orm,
  chatId: string,
  userId: string,
  viewerId: string,
): Promise<StoredParticipant> {
  const [found] = await readParticipants(tx, chatId, [userId], viewerId);
  if (!found) throw new ChatError('user_not_found', 'This user takes no part in the chat.');
  return found;
}
