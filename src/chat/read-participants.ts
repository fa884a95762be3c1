import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { iso, type Orm } from '../db/database.ts';
import type { StoredParticipant } from '../db/queries/participant-columns.ts';
import { shownName } from '../db/queries/shown-name.ts';
import { chatParticipants, users } from '../db/schema.ts';

/** Those of the users who take part in the chat, as the transaction sees them. */
export function readParticipants(
  tx: Orm,
  chatId: string,
  userIds: readonly string[],
): Promise<StoredParticipant[]> {
  return tx
    .select({
      userId: chatParticipants.userId,
      displayName: sql<string>`${sql.raw(shownName('"users"'))}`,
      avatarUrl: users.avatarUrl,
      role: chatParticipants.role,
      joinedAt: sql<string>`${sql.raw(iso('"chat_participants"."joined_at"'))}`,
    })
    .from(chatParticipants)
    .innerJoin(users, eq(users.id, chatParticipants.userId))
    .where(
      and(
        eq(chatParticipants.chatId, chatId),
        inArray(chatParticipants.userId, [...userIds]),
        isNull(chatParticipants.leftAt),
      ),
    );
}
