import { describe, expect, test } from 'bun:test';
import { createNotificationCodec } from '../../src/adapters/redis/notification-codec.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { createEnvelopeCodec } from '../../src/shared/envelope-codec.ts';

const { seal, signatureOf, vouch } = createEnvelopeCodec('a key of this test');
const envelope: SendEnvelope = {
  version: 1,
  brokerMessageId: 'b1',
  chatId: 'c1',
  senderId: 'u1',
  clientMessageId: 'm1',
  content: 'line\nfeed, "quoted", 😀, ","signature":"AAAAAAAAAAAAAAAAAAAAAA"}',
  sentAt: '2026-02-14T12:00:00.000Z',
  requestId: 'r1',
};
const body = seal(envelope);

test('a sealed envelope is JSON of itself and its signature, and is known as ours', () => {
  const { signature, ...rest } = JSON.parse(body);
  expect(rest).toEqual(envelope);
  expect(signature).toHaveLength(22);
  expect(signatureOf(body)).toBe('ours');
});

test('the signature is the HMAC-SHA256 of all before its comma, cut to 22 characters of base64url', () => {
  const text = JSON.stringify(envelope).slice(0, -1);
  const hmac = new Bun.CryptoHasher('sha256', 'a key of this test');
  expect(body).toBe(`${text},"signature":"${hmac.update(text).digest('base64url').slice(0, 22)}"}`);
});

describe('it is not ours', () => {
  const other = seal({ ...envelope, chatId: 'c2', content: 'Hi' });
  const signatureAt = body.length - 24;
  test.each([
    ['another sender', body.replace('"u1"', '"u2"')],
    ['another chat', body.replace('"c1"', '"c2"')],
    ['another text', body.replace('quoted', 'quoten')],
    ['another time', body.replace('2026', '2999')],
    ['another version', body.replace('"version":1', '"version":2')],
    ['another request', body.replace('"r1"', '"r2"')],
    ['a field more', body.replace('"requestId"', '"extra":1,"requestId"')],
    ['a field twice', body.replace('"requestId"', '"content":"Hi","requestId"')],
    ['a space more', body.replace('{', '{ ')],
    ["another's signature", body.slice(0, signatureAt) + other.slice(-24)],
    ['another key', createEnvelopeCodec('another key of this test').seal(envelope)],
    ['a made-up signature', `${body.slice(0, signatureAt)}${'A'.repeat(22)}"}`],
    ["a notification's signature", notificationSigned()],
  ])('with %s', (_, forged) => {
    expect(forged).not.toBe(body);
    expect(signatureOf(forged)).toBe('foreign');
  });

  /** The very text, signed by those who can sign notifications alone. */
  function notificationSigned(): string {
    const codec = createNotificationCodec('the key of notifications');
    const text = JSON.stringify(envelope).slice(0, -1);
    const wire = codec.encode({ topic: text as 'chat:', head: {} as never, body: '' });
    return `${text},"signature":"${wire.slice(-23, -1)}"}`;
  }
});

test.each([
  ['nothing', ''],
  ['a string', '"}'],
  ['no signature', JSON.stringify(envelope)],
  ['an empty signature', `${JSON.stringify(envelope).slice(0, -1)},"signature":""}`],
  ['a shorter signature', `${body.slice(0, -3)}"}`],
  ['a longer signature', `${body.slice(0, -2)}A"}`],
  ['a signature that is not the last', body.replace(/"}$/, '","more":1}')],
  ['something behind it', `${body} `],
  ['an end that is cut off', body.slice(0, -1)],
  ['a beginning that is cut off', body.slice(-40, -5)],
  ['a signature alone', `,"signature":"${'A'.repeat(21)}"}`],
])('%s is not signed', (_, unsigned) => {
  expect(signatureOf(unsigned)).toBe('none');
});

test('who vouches signs what is there, whoever signed it before; what is no object stays as it is', () => {
  for (const unsigned of [
    JSON.stringify(envelope),
    JSON.stringify(envelope, undefined, 2),
    createEnvelopeCodec('another key of this test').seal(envelope),
  ]) {
    expect(vouch(unsigned)).toBe(body);
  }
  expect(vouch(body)).toBe(body);
  for (const junk of ['', 'nope', '{}', '[]', '[1]', 'null', '"text"', '7']) expect(vouch(junk)).toBe(junk);
});
