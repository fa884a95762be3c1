import { passing } from '../changes/announce.ts';
import type { WrittenMembership } from '../db/queries/write-memberships.ts';
import type { MembershipEvent } from '../shared/contract.ts';
import type { Notification, ReadsBody } from '../shared/ports/notifications.ts';

/**
 * Each change to one's own sockets; who has read further than ever to those in the chat, unless there are many of them. What
 * readers of one chat are told goes with it: gateways with a socket of theirs have one in the chat.
 * @param liveMax participants of a chat that is told
 */
export function membershipNotifications(
  written: readonly WrittenMembership[],
  liveMax: number,
): Notification[] {
  const changed = written.filter((one) => one.changed);
  const isTold = ({ readThrough, readReceipts, participantCount }: WrittenMembership) =>
    readThrough !== null && readReceipts && participantCount <= liveMax;
  const byChat = Map.groupBy(changed.filter(isTold), ({ membership }) => membership.chatId);
  return [
    ...changed
      .filter((one) => !isTold(one))
      .map(({ userId, membership }) =>
        passing(`user:${userId}`, 'chat.membership', { membership } satisfies MembershipEvent),
      ),
    ...[...byChat].map(([chatId, readers]) =>
      passing(`chat:${chatId}`, 'chat.read', {
        chatId,
        reads: readers.map(({ userId, readThrough, readAt }) => ({
          ...{ userId, lastReadSequence: readThrough ?? 0, readAt },
        })),
        memberships: readers.map(({ membership }) => membership),
      } satisfies ReadsBody),
    ),
  ];
}
