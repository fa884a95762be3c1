import type { Database } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
import { readUnreadTotals } from '../db/queries/unread-totals.ts';
import { writeMemberships } from '../db/queries/write-memberships.ts';
import type { UnreadTotals } from '../shared/contract.ts';

export type GetUnread = (input: { userId: string }) => Promise<UnreadTotals>;

/** Of one look; further ones come to the others. */
const mostSettled = 500;

/** What is unread in all of the user's chats. */
export function createGetUnread(database: Database): GetUnread {
  return async ({ userId }) => {
    const { totals, unsettled } = await readUnreadTotals(database, userId);
    if (unsettled.length === 0) return totals;
    try {
      const some = unsettled.slice(0, mostSettled);
      await writeMemberships(
        database,
        some.map((chatId) => ({ userId, chatId })),
      );
    } catch (error) {
      // Somebody holds one of the rows: the next who looks settles them.
      if (isTimeout(error)) return totals;
      throw error;
    }
    return (await readUnreadTotals(database, userId)).totals;
  };
}
