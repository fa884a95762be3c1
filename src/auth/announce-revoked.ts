import type { Logger } from '../shared/log.ts';
import type { Facts } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';

/**
 * After the commit that ended a session: its tokens die within the request, its sockets within a second. Never throws: with
 * Redis away the fact dies by itself within 30 s and the gateways find out from PostgreSQL.
 */
export type AnnounceRevoked = (session: { userId: string; sessionId: string }) => Promise<void>;

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
  return async ({ userId, sessionId }) => {
    await facts.revoke([`session:${sessionId}`]);
    const head = { version: 1, kind: 'session.revoked', userId, sessionId } as const;
    try {
      await notifier.publish([{ topic: `user:${userId}`, head, body: '' }]);
    } catch (error) {
      log.warn({ err: error, sessionId }, 'the end of a session was not announced');
    }
  };
}
