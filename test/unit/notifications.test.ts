import { describe, expect, test } from 'bun:test';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import type { Notification, Topic } from '../../src/shared/ports/notifications.ts';

const { encode, decode } = createNotificationCodec('a key of this test');
const notification: Notification = {
  topic: 'chat:c1',
  head: {
    version: 1,
    kind: 'change',
    chatId: 'c1',
    eventSequence: 7,
    event: 'chat.message.new',
    actorId: 'u1',
    actorEvent: 'chat.message.saved',
    sequence: 3,
  },
  body: JSON.stringify({ chatId: 'c1', text: 'line\nfeed, 😀' }),
};

test('a notification survives the wire, its body untouched', () => {
  expect(decode('chat:c1', encode(notification))).toEqual(notification);
  // What an older version does not know of in a head is signed with it, and passed over.
  const traced = { ...notification, head: { ...notification.head, traceparent: 'a trace' } } as Notification;
  expect(decode('chat:c1', encode(traced))).toEqual(traced);
  expect(decode('chat:c1', encode(traced).replace('a trace', 'another'))).toBeUndefined();
  const empty: Notification = { ...notification, body: '' };
  expect(decode('chat:c1', encode(empty))).toEqual(empty);
});

test('the signature is the HMAC-SHA256 of topic, head and body, each on its line, cut to 22 characters of base64url', () => {
  const [head = ''] = encode(notification).split('\n');
  const text = JSON.stringify(notification.head);
  const hmac = new Bun.CryptoHasher('sha256', 'a key of this test');
  const signature = hmac.update(`chat:c1\n${text}\n${notification.body}`).digest('base64url').slice(0, 22);
  expect(head).toBe(`${text} ${signature}`);
});

describe('nothing is believed of', () => {
  const wire = encode(notification);
  const [head = '', body] = [wire.slice(0, wire.indexOf('\n')), notification.body];
  const text = JSON.stringify(notification.head);
  test.each([
    ['another body', `${head}\n${body.replace('feed', 'food')}`],
    ['another number', wire.replace('"eventSequence":7', '"eventSequence":8')],
    ['another sender', wire.replace('u1', 'u2')],
    ['another key', createNotificationCodec('another key of this test').encode(notification)],
    ['no signature', `${text}\n${body}`],
    ['an empty signature', `${text} \n${body}`],
    ['a shorter signature', `${text} ${head.slice(-22, -1)}\n${body}`],
    ['a longer signature', `${head}A\n${body}`],
    ['a line feed moved', `${head.slice(0, -23)}\n ${head.slice(-22)}${body}`],
  ])('%s', (_, forged) => {
    expect(forged).not.toBe(wire);
    expect(decode('chat:c1', forged)).toBeUndefined();
  });

  test('another topic', () => {
    expect(decode('chat:c2', wire)).toBeUndefined();
    expect(decode('user:c1', wire)).toBeUndefined();
  });
});

test.each([
  ['nothing', ''],
  ['no line feed', '{"version":1,"kind":"change"}'],
  ['a line feed alone', '\n'],
  ['not JSON', 'head\nbody'],
  ['JSON null', 'null\n'],
])('%s is no notification', (_, wire) => {
  expect(decode('chat:c1', wire)).toBeUndefined();
});

test.each([
  ['of a newer version', { version: 2, kind: 'change' }],
  ['of an unknown kind', { version: 1, kind: 'toString' }],
  ['that is none of the wire', { version: 1, kind: 'unknown' }],
])('a notification %s is not read, though it is signed', (_, head) => {
  expect(decode('chat:c1', encode({ ...notification, head: head as never }))).toBeUndefined();
});

test('what processes of the version before announced is read: a new message, and one that was refused', () => {
  const former = (topic: Topic, head: object) =>
    decode(topic, encode({ topic, head: head as never, body: '{}' }));
  const names = { chatId: 'c1', eventSequence: 7 };
  expect(former('chat:c1', { version: 1, kind: 'message', ...names, senderId: 'u1' })?.head).toMatchObject({
    ...{ version: 1, kind: 'change', ...names, event: 'chat.message.new' },
    ...{ actorId: 'u1', actorEvent: 'chat.message.saved' },
  });
  expect(former('user:u1', { version: 1, kind: 'message.failed', userId: 'u1' })?.head).toMatchObject({
    ...{ version: 1, kind: 'passing', event: 'chat.message.failed' },
  });
  // Who takes part is read in any case.
  expect(
    former('chat:c1', { version: 1, kind: 'participant.removed', ...names, userId: 'u1' }),
  ).toBeUndefined();
});
