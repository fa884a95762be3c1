import { expect, test } from 'bun:test';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import { createPrivateName } from '../../src/shared/private-name.ts';

test('a name is hidden the same each time, otherwise with another key, and is no signature of a text that somebody chose', () => {
  const hide = createPrivateName('a key');
  const wire = createNotificationCodec('a key').encode({
    ...{ topic: 'user:x', body: '' },
    head: { version: 1, kind: 'session.revoked', userId: 'x', sessionId: 'y' },
  });
  const [head = '', body = ''] = wire.split('\n');
  const signature = head.slice(-22);
  const signedText = `user:x\n${head.slice(0, -23)}\n${body}`;
  const hidden = hide(signedText);
  expect(hidden).toMatch(/^[\w-]{22}$/);
  expect(hidden).not.toBe(signature);
  expect(hide(signedText)).toBe(hidden);
  expect(createPrivateName('a key')(signedText)).toBe(hidden);
  expect(createPrivateName('another key')(signedText)).not.toBe(hidden);
});
