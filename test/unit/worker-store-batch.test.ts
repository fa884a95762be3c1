import { expect, test } from 'bun:test';
import pino from 'pino';
import type { MessageToStore, StoreOutcome } from '../../src/db/queries/store-messages.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { Abandoned } from '../../src/worker/abandoned.ts';
import { storeBatch } from '../../src/worker/store-batch.ts';

const log = pino({ level: 'silent' });
const onRetry = () => {};

/** A letter a message; capitals are of one chat, in which something hangs. */
const batchOf = (letters: string): MessageToStore[] =>
  [...letters].map((letter) => ({
    chatId: letter === letter.toUpperCase() ? 'stuck' : letter,
    senderId: 'sender',
    brokerMessageId: letter,
    clientMessageId: letter,
    content: letter,
    sentAt: '2026-01-01T00:00:00.000Z',
  }));
const stored = (letter: string): StoreOutcome => {
  const number = letter.charCodeAt(0);
  return { outcome: 'stored', sequence: number, eventSequence: number, sentAt: 'then' };
};
const timedOut = (code: string) =>
  new ChatError('database_unavailable', undefined, { cause: Object.assign(new Error('given up'), { code }) });
const setAside = (times: number, code = '57014') => ({
  outcome: 'failed',
  reason: `storing took too long ${times} times: SQLSTATE ${code}`,
});

/** PostgreSQL, which gives up a batch that holds one of these; `tried` are the batches in the order of their tries. */
function world(hangs: (letters: string) => boolean, { code = '57014' } = {}) {
  const state = { works: true, tried: [] as string[], committed: '' };
  const leaving = new AbortController();
  const alone = async (batch: readonly MessageToStore[]) => {
    const letters = batch.map(({ content }) => content).join('');
    state.tried.push(letters);
    await Promise.resolve();
    if (hangs(letters)) throw timedOut(code);
    state.committed += letters;
    return [...letters].map(stored);
  };
  const stores = { gather: alone, alone, work: async () => state.works };
  const storing = (letters: string, current = () => true) =>
    storeBatch({ stores, maxRetries: 2, log, leaving: leaving.signal, current, onRetry }, batchOf(letters));
  return { state, storing, leaving };
}

for (const code of ['57014', '55P03']) {
  test(`a message that PostgreSQL gives up alone (${code}) is set aside after three times, and the others are stored in order`, async () => {
    const { state, storing } = world((letters) => letters.includes('X'), { code });
    const outcomes = await storing('abcdXfgh');
    expect(outcomes).toEqual([
      ...[...'abcd'].map(stored),
      setAside(3, code),
      ...[...'fgh'].map(stored),
    ] as typeof outcomes);
    expect(state.committed).toBe('abcdfgh');
    expect(state.tried).toEqual(['abcdXfgh', 'abcdXfgh', 'abcd', 'Xfgh', 'Xf', 'X', 'X', 'X', 'f', 'gh']);
  });
}

test('of a chat that hangs each further message is tried once', async () => {
  const { state, storing } = world((letters) => /[A-Z]/.test(letters));
  const outcomes = await storing('aXYb');
  expect(outcomes).toEqual([stored('a'), setAside(3), setAside(1), stored('b')] as typeof outcomes);
  expect(state.tried).toEqual(['aXYb', 'aXYb', 'aX', 'a', 'X', 'X', 'X', 'b', 'Y']);
});

test('a chat that hangs holds up the others of its batch for the time of a few tries, however much is of it', async () => {
  const { state, storing } = world((letters) => /[A-Z]/.test(letters));
  const alphabet = 'abcdefghijklmnopqrstuvwxyz';
  const mixed = [...alphabet].map((letter) => letter + letter.toUpperCase()).join('');
  const outcomes = await storing(mixed);
  const expected = [...mixed].map((letter) => {
    if (letter === 'A') return setAside(3);
    return letter === letter.toUpperCase() ? setAside(1) : stored(letter);
  });
  expect(outcomes).toEqual(expected as typeof outcomes);
  expect(state.committed).toBe(alphabet);
  expect(state.tried.filter((letters) => /[A-Z]/.test(letters)).length).toBeLessThan(20);
});

test('a batch that is too large for its time is stored in pieces that are not, and nothing is set aside', async () => {
  const { state, storing } = world((letters) => letters.length > 3);
  const letters = 'abcdefghijklmn';
  expect(await storing(letters)).toEqual([...letters].map(stored));
  expect(state.committed).toBe(letters);
});

test('while nothing can be stored at all it waits, however often it is given up, and does not halve', async () => {
  let given = 0;
  const { state, storing } = world(() => given++ < 5);
  state.works = false;
  expect(await storing('aX')).toEqual([stored('a'), stored('X')]);
  expect(state.tried).toEqual(Array.from({ length: 6 }, () => 'aX'));
});

test('what is halved is stored no further once the batch is another’s, or the worker leaves', async () => {
  const lost = world((letters) => letters.includes('X'));
  const storing = lost.storing('aXbc', () => !lost.state.tried.includes('X'));
  await expect(storing).rejects.toThrow(Abandoned);
  expect(lost.state.committed).toBe('a');

  const left = world((letters) => {
    if (letters === 'X') left.leaving.abort();
    return letters.includes('X');
  });
  await expect(left.storing('aXbc')).rejects.toThrow(Abandoned);
  expect(left.state.committed).toBe('a');
});
