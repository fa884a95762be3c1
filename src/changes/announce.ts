import type { ServerToClientEvents } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import type { ChangeHead, Notification, Notifier, Topic } from '../shared/ports/notifications.ts';
import { createRepeats } from '../shared/repeats.ts';
import type { Told } from './told.ts';

/** Tells the gateways what was committed; never rejects. */
export type Announce = (notifications: readonly Notification[]) => Promise<void>;

/** What is lost here the gateways find by themselves: a failure is logged, and the request has succeeded all the same. */
export function createAnnounce(notifier: Notifier, log: Logger): Announce {
  const repeats = createRepeats();
  return async (notifications) => {
    try {
      await notifier.publish(notifications);
    } catch (error) {
      // While Redis is away every change is.
      const reason = reasonOf(error);
      repeats(reason, (count) => log.warn({ reason, count }, 'committed, but not announced'));
    }
  };
}

/** To the chat's gateways. Without a payload: there is something to read up to this number. */
export function changeNotification(told: ChangeHead & Partial<Told>): Notification {
  const { chatId, eventSequence, event, actorId, actorEvent, sequence, payload } = told;
  return {
    topic: `chat:${chatId}`,
    head: { version: 1, kind: 'change', chatId, eventSequence, event, actorId, actorEvent, sequence },
    body: payload === undefined ? '' : JSON.stringify(payload),
  };
}

/** What is not numbered, and not told again. @param actorId of whoever in a chat is not told */
export const passing = (
  topic: Topic,
  event: keyof ServerToClientEvents,
  payload: object,
  actorId?: string,
): Notification => ({
  topic,
  head: { version: 1, kind: 'passing', event, actorId },
  body: JSON.stringify(payload),
});

/** To a user's gateways: look at the membership of this chat again. */
export const membershipHint = (chatId: string, userId: string, eventSequence: number): Notification => ({
  topic: `user:${userId}`,
  head: { version: 1, kind: 'membership', chatId, eventSequence, userId },
  body: '',
});
