import type { Database } from '../db/database.ts';
import { readUnreadTotals } from '../db/queries/unread-totals.ts';
import type { UnreadTotals } from '../shared/contract.ts';
import { settle } from './settle-memberships.ts';

export type GetUnread = (input: { userId: string }) => Promise<UnreadTotals>;

/** Of one look; further ones come to the others. */
const mostSettled = 500;

/** What is unread in all of the user's chats. */
export function createGetUnread(database: Database): GetUnread {
  return async ({ userId }) => {
    const { totals, unsettled } = await readUnreadTotals(database, userId);
    if (unsettled.length === 0) return totals;
    const pairs = unsettled.slice(0, mostSettled).map((chatId) => ({ userId, chatId }));
    if ((await settle(database, pairs)).length === 0) return totals;
    return (await readUnreadTotals(database, userId)).totals;
  };
}
