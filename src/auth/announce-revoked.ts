import type { Logger } from '../shared/log.ts';
import type { Fact, Facts } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';

/**
 * After the commit that ended a session: its tokens die within the request, its sockets within a second. Never throws: with
 * Redis away the fact dies by itself within 30 s and the gateways find out from PostgreSQL.
 */
export type AnnounceRevoked = (ended: Revoked) => Promise<void>;

/** One session; or all that a user has: those that were alive here, and whatever an outside provider knows. */
type Revoked = { userId: string; sessionId: string } | { userId: string; sessionIds: readonly string[] };

export interface AnnounceRevokedDependencies {
  facts: Facts;
  notifier: Notifier;
  log: Logger;
}

export function createAnnounceRevoked({
  facts,
  notifier,
  log,
}: AnnounceRevokedDependencies): AnnounceRevoked {
  return async (ended) => {
    const { userId } = ended;
    const one = 'sessionId' in ended ? { sessionId: ended.sessionId } : {};
    const sessionIds = 'sessionId' in ended ? [ended.sessionId] : ended.sessionIds;
    const sessions = sessionIds.map((id): Fact => `session:${id}`);
    await facts.revoke('sessionId' in ended ? sessions : [`user:${userId}`, ...sessions]);
    const head = { version: 1, kind: 'session.revoked', userId, ...one } as const;
    try {
      await notifier.publish([{ topic: `user:${userId}`, head, body: '' }]);
    } catch (error) {
      log.warn({ err: error, userId, ...one }, 'the end of a session was not announced');
    }
  };
}
