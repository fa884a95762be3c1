import type { Database } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
import type { StoredMembership } from '../db/queries/chats.ts';
import { type WrittenMembership, writeMemberships } from '../db/queries/write-memberships.ts';
import type { Membership } from '../shared/contract.ts';

/**
 * The memberships as they are shown. How far somebody has read who has never said it becomes known when it is first shown, so that
 * whoever counts on from there counts as the server does; and a marker goes over a long run of what is never unread, so that
 * nobody reads through it again. Nobody is told, and the membership keeps its version: what is unread is the same, and a device
 * that knows the marker from before counts on from there and comes to the same.
 */
export async function settleMemberships(
  database: Database,
  shown: readonly (Omit<StoredMembership, 'showsPresence'> & { userId: string })[],
): Promise<Membership[]> {
  const unsettled = shown.filter((one) => one.unsettled);
  if (unsettled.length === 0) return shown.map(({ membership }) => membership);
  const written = await settle(
    database,
    unsettled.map(({ userId, membership: { chatId } }) => ({ userId, chatId })),
  );
  const byPair = new Map(
    written.map(({ userId, membership }) => [`${userId} ${membership.chatId}`, membership]),
  );
  return shown.map(({ userId, membership }) => byPair.get(`${userId} ${membership.chatId}`) ?? membership);
}

/** @returns what was written: nothing where somebody holds one of the rows, which the next who looks settles */
export async function settle(
  database: Database,
  pairs: readonly { userId: string; chatId: string }[],
): Promise<WrittenMembership[]> {
  try {
    return await writeMemberships(database, pairs);
  } catch (error) {
    if (isTimeout(error)) return [];
    throw error;
  }
}
