import type { Database } from '../db/database.ts';
import { readPresence } from '../db/queries/presence.ts';
import type { UserPresence } from '../shared/contract.ts';
import type { Presence } from '../shared/ports/presence.ts';

/** @param userIds in lower case */
export type GetPresence = (input: {
  viewerId: string;
  userIds: readonly string[];
}) => Promise<UserPresence[]>;

/** Of those who share a chat with the viewer, each once; of who shows it to nobody, and to whom, that they are offline. */
export function createGetPresence(deps: { database: Database; presence: Presence }): GetPresence {
  return async ({ viewerId, userIds }) => {
    const known = await readPresence(deps.database, viewerId, [...new Set(userIds)]);
    const online = await deps.presence.online(known.filter(({ shown }) => shown).map(({ userId }) => userId));
    return known.map(({ userId, shown, lastSeenAt }) => ({
      userId,
      online: online.has(userId),
      lastSeenAt: shown ? lastSeenAt : null,
    }));
  };
}
