import type { ChangeEvents } from '../shared/contract.ts';
import type { Notification } from '../shared/notifications/notifications.ts';
import type { Told } from './kind.ts';

/** To the chat's gateways: this was committed. */
export const changeNotification = ({ payload, came, went, ...head }: Told): Notification => ({
  topic: `chat:${head.chatId}`,
  head: { version: 1, kind: 'change', ...head },
  body: JSON.stringify(payload),
});

/** To the chat's gateways: there is something to read up to this number. */
export const changeHint = (
  event: keyof ChangeEvents,
  chatId: string,
  eventSequence: number,
): Notification => ({
  topic: `chat:${chatId}`,
  head: { version: 1, kind: 'change', chatId, eventSequence, event },
  body: '',
});
