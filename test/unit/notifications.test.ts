import { expect, test } from 'bun:test';
import {
  decodeNotification,
  encodeNotification,
  type Notification,
} from '../../src/shared/notifications/notifications.ts';

const notification: Notification = {
  topic: 'chat:c1',
  head: { version: 1, kind: 'message', chatId: 'c1', eventSequence: 7, senderId: 'u1' },
  body: JSON.stringify({ chatId: 'c1', text: 'line\nfeed' }),
};

test('a notification survives the wire, its body untouched', () => {
  expect(decodeNotification('chat:c1', encodeNotification(notification))).toEqual(notification);
});

test.each([
  ['nothing', ''],
  ['no line feed', '{"version":1,"kind":"message"}'],
  ['not JSON', 'head\nbody'],
  ['JSON null', 'null\n'],
  ['an unknown kind', '{"version":1,"kind":"toString"}\n'],
])('%s is no notification', (_, wire) => {
  expect(decodeNotification('chat:c1', wire)).toBeUndefined();
});

test('a notification of a newer version is not read as one of this version', () => {
  expect(decodeNotification('chat:c1', '{"version":2,"kind":"message"}\n{}')).toBeUndefined();
});
