import type { WrittenMembership } from '../db/queries/write-memberships.ts';
import type { MembershipEvent, ReadEvent } from '../shared/contract.ts';
import type { Notification } from '../shared/ports/notifications.ts';

/**
 * Each change to one's own sockets; who has read further than ever to those in the chat, unless there are many of them.
 * @param liveMax participants of a chat that is told
 */
export function membershipNotifications(
  written: readonly WrittenMembership[],
  liveMax: number,
): Notification[] {
  const changed = written.filter((one) => one.changed);
  const told = changed.filter(
    ({ readThrough, readReceipts, participantCount }) =>
      readThrough !== null && readReceipts && participantCount <= liveMax,
  );
  const byChat = Map.groupBy(told, ({ membership }) => membership.chatId);
  return [
    ...changed.map(({ userId, membership }) =>
      passing(`user:${userId}`, 'chat.membership', { membership } satisfies MembershipEvent),
    ),
    ...[...byChat].map(([chatId, readers]) =>
      passing(`chat:${chatId}`, 'chat.read', {
        chatId,
        reads: readers.map(({ userId, readThrough, readAt }) => ({
          ...{ userId, lastReadSequence: readThrough ?? 0, readAt },
        })),
      } satisfies ReadEvent),
    ),
  ];
}

const passing = (
  topic: Notification['topic'],
  event: 'chat.membership' | 'chat.read',
  payload: object,
): Notification => ({
  topic,
  head: { version: 1, kind: 'passing', event },
  body: JSON.stringify(payload),
});
