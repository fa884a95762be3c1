import { expect, test } from 'bun:test';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import { readEnvelope } from '../../src/worker/envelope.ts';

const chatId = '0199aa00-0000-7000-8000-0000000000c1';
const senderId = '0199aa00-0000-7000-8000-0000000000a1';
const clientMessageId = '11111111-1111-1111-1111-111111111111';
const envelope = {
  version: 1,
  brokerMessageId: deriveBrokerMessageId(chatId, senderId, clientMessageId),
  chatId,
  senderId,
  clientMessageId,
  content: 'Hello',
  sentAt: '2026-02-14T12:00:00.000Z',
  requestId: 'r-1',
};
const read = (change: Record<string, unknown> = {}) =>
  readEnvelope(JSON.stringify({ ...envelope, ...change }), 'ours');

test('what the api sends is valid, whatever it holds', () => {
  expect(read()).toEqual({ kind: 'valid', envelope: { ...envelope, version: 1 } });
  expect(read({ content: '😀'.repeat(4_000) }).kind).toBe('valid');
  expect(read({ content: ' ' }).kind).toBe('valid');
  expect(read({ addedLater: true }).kind).toBe('valid');
});

test('a newer version is left for a newer worker, even when nothing else of it is known', () => {
  expect(readEnvelope('{"version":4,"anything":[]}', 'ours')).toEqual({ kind: 'newer', version: 4 });
});

const extras = {
  replyTo: '0199aa00-0000-8000-8000-0000000000b1',
  mentions: { userIds: [senderId], everyone: true },
  metadata: { order: 7, tags: ['a', { b: null }], constructor: { prototype: 1 }, toJSON: 'x' },
};

test('what a message has beside its text is read of version 2, whole, and nothing else that stands there', () => {
  expect(read({ version: 2 })).toEqual({ kind: 'valid', envelope: { ...envelope, version: 2 } });
  const whole = { kind: 'valid', envelope: { ...envelope, version: 2, ...extras } };
  expect(read({ version: 2, ...extras })).toEqual(whole as never);
  expect(read({ version: 2, ...extras, addedLater: 1 })).toEqual(whole as never);
  expect(read({ version: 2, mentions: { userIds: [senderId], addedLater: 1 } })).toMatchObject({
    envelope: { mentions: { userIds: [senderId] } },
  });
  // Version 1 has none.
  expect(read(extras)).toEqual({ kind: 'valid', envelope: { ...envelope, version: 1 } });
});

test('metadata is kept to the letter, whatever its fields are called', () => {
  for (const metadata of [
    '{}',
    '{"__proto__":{"polluted":true},"constructor":1,"hasOwnProperty":null}',
    `{"a":"${'x'.repeat(4_096 - 8)}"}`,
    `${'{"a":'.repeat(15)}{"b":[]}${'}'.repeat(15)}`.replace('[]', '1'),
    '{"a":"\\\\u0000","b":"😀"}',
  ]) {
    const body = JSON.stringify({ ...envelope, version: 2 }).replace(/}$/, `,"metadata":${metadata}}`);
    const verdict = readEnvelope(body, 'ours');
    expect(verdict.kind).toBe('valid');
    if (verdict.kind === 'valid') expect(JSON.stringify(verdict.envelope.metadata)).toBe(metadata);
  }
  expect({}).not.toHaveProperty('polluted');
});

test('extras that no api writes are poison of a known sender', () => {
  for (const change of [
    { replyTo: null },
    { replyTo: 'first' },
    { replyTo: extras.replyTo.toUpperCase() },
    { mentions: null },
    { mentions: [] },
    { mentions: {} },
    { mentions: { userIds: [7] } },
    { mentions: { userIds: [senderId.toUpperCase()] } },
    { mentions: { userIds: Array(51).fill(senderId) } },
    { mentions: { userIds: [], everyone: false } },
    { mentions: { userIds: [], everyone: 'yes' } },
    { metadata: null },
    { metadata: [] },
    { metadata: 'text' },
    { metadata: { a: 'x'.repeat(4_090) } },
    { metadata: { a: ['a\0b'] } },
    { metadata: { 'a\0b': 1 } },
    { metadata: { a: { b: '\ud800' } } },
    { metadata: { '\udc00': 1 } },
    { metadata: JSON.parse(`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`) },
    { metadata: JSON.parse(`{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`) },
  ]) {
    expect(read({ version: 2, ...change })).toMatchObject({ kind: 'poison', key: { chatId, senderId } });
  }
});

test('the third version is that of system messages, and says so', () => {
  const system = read({ version: 3, messageType: 'system' });
  expect(system).toMatchObject({ kind: 'valid', envelope: { messageType: 'system' } });
  for (const messageType of [undefined, null, 'text', 'System'])
    expect(read({ version: 3, messageType })).toMatchObject({
      ...{ kind: 'poison', reason: 'messageType is not system', key: { chatId, senderId } },
    });
});

test('what nobody of ours has signed is poison that names nobody, whatever it says', () => {
  for (const body of [JSON.stringify(envelope), '{"version":2}', 'nope', '']) {
    const foreign = { kind: 'poison', reason: 'the signature is not ours' } as const;
    expect(readEnvelope(body, 'foreign')).toEqual(foreign);
    expect(readEnvelope(body, 'foreign', true)).toEqual(foreign);
    expect(readEnvelope(body, 'none')).toEqual({ kind: 'poison', reason: 'not signed' });
  }
});

test('while unsigned ones are believed, those of the first version are: no higher one was ever sent unsigned', () => {
  const unsigned = (change: Record<string, unknown> = {}) =>
    readEnvelope(JSON.stringify({ ...envelope, ...change }), 'none', true);
  expect(unsigned()).toEqual({ kind: 'valid', envelope: { ...envelope, version: 1 } });
  expect(unsigned({ content: '' })).toMatchObject({ kind: 'poison', key: { senderId, requestId: 'r-1' } });
  for (const version of [2, 1_000, Number.MAX_SAFE_INTEGER]) {
    expect(unsigned({ version })).toEqual({ kind: 'poison', reason: 'not signed' });
    expect(unsigned({ version, content: '' })).not.toHaveProperty('key');
  }
});

test.each([
  ['', 'not JSON'],
  ['nope', 'not JSON'],
  ['null', 'not a JSON object'],
  ['[]', 'not a JSON object'],
  ['"text"', 'not a JSON object'],
  ['{}', 'no version'],
  ['{"version":"1"}', 'no version'],
  ['{"version":0}', 'no version'],
  ['{"version":1.5}', 'no version'],
  ['{"version":1}', 'chatId is not a UUID in lower case'],
])('%j is poison: %s', (body, reason) => {
  expect(readEnvelope(body, 'ours')).toEqual({ kind: 'poison', reason });
});

test('ids that are no UUIDs in lower case, or do not belong together, are poison that names nobody', () => {
  for (const change of [
    { chatId: chatId.toUpperCase() },
    { senderId: 'me' },
    { clientMessageId: undefined },
    { clientMessageId: `${clientMessageId}0` },
    { brokerMessageId: crypto.randomUUID() },
    { brokerMessageId: undefined },
    { senderId: chatId },
  ]) {
    const verdict = read(change);
    expect(verdict.kind).toBe('poison');
    expect(verdict).not.toHaveProperty('key');
  }
});

test('values that cannot be stored are poison of a known sender', () => {
  const { brokerMessageId } = envelope;
  for (const change of [
    { content: '' },
    { content: 'x'.repeat(8_001) },
    { content: 7 },
    { content: null },
    { content: 'a\0b' },
    { content: '\ud800' },
    { sentAt: '2026-02-14T12:00:00Z' },
    { sentAt: '2026-02-30T12:00:00.000Z' },
    { sentAt: 'yesterday' },
    { sentAt: '+012026-02-14T12:00:00.000Z' },
    { sentAt: '-000001-02-14T12:00:00.000Z' },
    { sentAt: 1 },
    { requestId: undefined },
  ]) {
    expect(read(change)).toMatchObject({
      kind: 'poison',
      key: { brokerMessageId, chatId, senderId, clientMessageId },
    });
  }
});
