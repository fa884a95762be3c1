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
  expect(readEnvelope('{"version":2,"anything":[]}', 'ours')).toEqual({ kind: 'newer', version: 2 });
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
