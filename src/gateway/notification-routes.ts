import { isBelieved } from '../changes/kinds.ts';
import type { UserEvent } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification, NotificationHead } from '../shared/ports/notifications.ts';
import { frameOf } from './fan-out.ts';
import type { OwnMemberships } from './own-memberships.ts';
import type { Receipts } from './receipts.ts';
import type { Sequencer } from './sequencer.ts';
import type { Sessions } from './sessions.ts';
import type { Users } from './users.ts';

type Passing = Extract<NotificationHead, { kind: 'passing' }>;

/** Nobody but the user is told of them. */
const ownEvents: ReadonlySet<string> = new Set(['chat.message.failed', 'chat.membership']);

/** Nobody is told of them by a topic of their own. */
const chatEvents: ReadonlySet<string> = new Set(['chat.read', 'chat.typing', 'chat.presence']);

/** What to do about each kind of notification. What does not belong to the topic it came by is ignored. */
export function createNotificationRoutes(deps: {
  sequencer: Sequencer;
  users: Users;
  sessions: Sessions;
  ownMemberships: OwnMemberships;
  receipts: Receipts;
  watchMembership: (userId: string, chatId: string) => void;
  compareUser: (userId: string) => void;
  log: Logger;
}): (batch: readonly Notification[]) => void {
  const { sequencer, users, sessions, ownMemberships, receipts, watchMembership, compareUser, log } = deps;

  function route({ topic, head, body }: Notification): void {
    switch (head.kind) {
      case 'change':
        if (topic !== `chat:${head.chatId}` || !Number.isSafeInteger(head.eventSequence)) return;
        if (body !== '' && isBelieved(head.event)) sequencer.offer(head.chatId, { ...head, body });
        else sequencer.hint(head.chatId, head.eventSequence);
        return;
      case 'passing': {
        // Both prefixes are as long.
        const id = topic.slice('user:'.length);
        if (topic.startsWith('chat:')) passToChat(id, head, body);
        else passToUser(id, head.event, body);
        return;
      }
      case 'membership':
        if (topic === `user:${head.userId}`) watchMembership(head.userId, head.chatId);
        return;
      case 'session.revoked':
        if (topic !== `user:${head.userId}`) return;
        if (head.sessionId === undefined) sessions.doubtAll(head.userId);
        else sessions.doubt(head.userId, head.sessionId);
        return;
      case 'unknown': {
        // Both prefixes are as long.
        const id = topic.slice('chat:'.length);
        if (topic.startsWith('chat:')) sequencer.hint(id, Number.MAX_SAFE_INTEGER);
        else compareUser(id);
      }
    }
  }

  function passToChat(chatId: string, { event, actorId }: Passing, body: string): void {
    if (ownEvents.has(event)) return;
    if (event === 'chat.read') {
      receipts.hear(chatId, JSON.parse(body));
      return;
    }
    const frame = frameOf(event, body);
    for (const member of sequencer.room(chatId)) if (member.userId !== actorId) member.pass(frame);
  }

  function passToUser(userId: string, event: Passing['event'], body: string): void {
    if (chatEvents.has(event)) return;
    if (event === 'chat.membership') {
      ownMemberships.offer(userId, JSON.parse(body).membership);
      return;
    }
    const user = users.local(userId);
    if (user && event === 'user.updated') {
      const { readReceipts = true, showPresence = true } = (JSON.parse(body) as UserEvent).user;
      users.setShown(userId, { readReceipts, showPresence });
      user.announced += 1;
    }
    const frame = frameOf(event, body);
    for (const member of users.of(userId)) if (member.live) member.send(frame);
  }

  return (batch) => {
    for (const notification of batch) {
      try {
        route(notification);
      } catch (error) {
        log.error({ err: error, topic: notification.topic }, 'a notification could not be handled');
      }
    }
  };
}
