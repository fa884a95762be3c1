import { expect, test } from 'bun:test';
import pino from 'pino';
import type { MessageToStore, StoreOutcome } from '../../src/db/queries/store-messages.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { Abandoned } from '../../src/worker/abandoned.ts';
import { gatherBatches } from '../../src/worker/gather.ts';
import { storeBatch } from '../../src/worker/store-batch.ts';

const message = (content: string): MessageToStore => ({
  chatId: 'chat',
  senderId: 'sender',
  brokerMessageId: content,
  clientMessageId: content,
  content,
  sentAt: '2026-01-01T00:00:00.000Z',
});
/** A letter a message. */
const batchOf = (letters: string) => [...letters].map(message);

/** The letter's code stands for the number that the database would give. */
const stored = (letter: string): StoreOutcome => {
  const number = letter.charCodeAt(0);
  return { outcome: 'stored', sequence: number, eventSequence: number, sentAt: 'then' };
};
const storedAll = (letters: string) => [...letters].map(stored);

const log = pino({ level: 'silent' });
const current = () => true;
const onRetry = () => {};

const sqlError = (code: string) => Object.assign(new Error('of PostgreSQL'), { code });

/** Commits end when the test says so; `calls` gives the letters of each, in the order in which they began. */
function heldBack() {
  const commits: { letters: string; end(): void; fail(error: Error): void }[] = [];
  const store = (batch: readonly MessageToStore[]) => {
    const letters = batch.map(({ content }) => content).join('');
    const { promise, resolve, reject } = Promise.withResolvers<StoreOutcome[]>();
    commits.push({ letters, end: () => resolve(storedAll(letters)), fail: reject });
    return promise;
  };
  return { store, commits, calls: () => commits.map(({ letters }) => letters) };
}

test('the first goes at once; what comes while its commit is under way shares the next, in its order', async () => {
  const { store, commits, calls } = heldBack();
  const { gather: gathered } = gatherBatches(store, 100, log, () => 1);
  const first = gathered(batchOf('a'), current);
  const others = [
    gathered(batchOf('xy'), current),
    gathered(batchOf('b'), current),
    gathered(batchOf('pqr'), current),
  ];
  expect(calls()).toEqual(['a']);

  commits[0]!.end();
  expect(await first).toEqual(storedAll('a'));
  await Promise.resolve();
  expect(calls()).toEqual(['a', 'xybpqr']);

  commits[1]!.end();
  expect(await Promise.all(others)).toEqual([storedAll('xy'), storedAll('b'), storedAll('pqr')]);
  void gathered(batchOf('z'), current);
  expect(calls()).toEqual(['a', 'xybpqr', 'z']);
});

test('beside another worker it leaves as much time free as its commit took, 5 ms at most; not for a full one', async () => {
  const { store, commits, calls } = heldBack();
  const { gather: gathered } = gatherBatches(store, 4, log, () => 2);
  void gathered(batchOf('a'), current);
  await Bun.sleep(5);
  const waited = gathered(batchOf('b'), current);
  commits[0]!.end();
  await Promise.resolve();
  const endedAt = performance.now();
  expect(calls()).toEqual(['a']);
  void gathered(batchOf('c'), current);
  while (calls().length === 1) await Bun.sleep(0);
  expect(performance.now() - endedAt).toBeGreaterThan(0.9);
  expect(calls()).toEqual(['a', 'bc']);
  commits[1]!.end();
  await waited;
  void gathered(batchOf('defg'), current);
  expect(calls()).toEqual(['a', 'bc', 'defg']);
});

test('as many as one commit may have wait for none; no commit has more, unless one batch has', () => {
  const { store, calls } = heldBack();
  const { gather: gathered } = gatherBatches(store, 4, log, () => 1);
  for (const letters of ['a', 'bcd', 'ef']) void gathered(batchOf(letters), current);
  expect(calls()).toEqual(['a', 'bcd', 'ef']);
  void gathered(batchOf('ghijkl'), current);
  expect(calls()).toEqual(['a', 'bcd', 'ef', 'ghijkl']);
});

test('who comes while a commit hangs is stored all the same', async () => {
  const { store, commits } = heldBack();
  const endingAll = (batch: readonly MessageToStore[]) => {
    const answer = store(batch);
    if (commits.length > 1) commits.at(-1)!.end();
    return answer;
  };
  const { gather: gathered } = gatherBatches(endingAll, 100, log, () => 1);
  void gathered(batchOf('a'), current);
  expect(await Promise.all([gathered(batchOf('b'), current), gathered(batchOf('c'), current)])).toEqual([
    storedAll('b'),
    storedAll('c'),
  ]);
  expect(await gathered(batchOf('d'), current)).toEqual(storedAll('d'));
});

test('where values may be at fault each batch is tried alone, and only the one that has them hears of it', async () => {
  const { store, commits, calls } = heldBack();
  const { gather: gathered } = gatherBatches(store, 100, log, () => 1);
  const first = gathered(batchOf('a'), current);
  const [good, bad, late] = [
    gathered(batchOf('bc'), current),
    gathered(batchOf('d'), current),
    gathered(batchOf('e'), current),
  ];
  commits[0]!.end();
  await first;
  await Promise.resolve();
  commits[1]!.fail(sqlError('22P02'));
  await Promise.resolve();
  await Promise.resolve();
  expect(calls()).toEqual(['a', 'bcde', 'bc', 'd', 'e']);
  commits[2]!.end();
  commits[3]!.fail(sqlError('22P02'));
  commits[4]!.end();
  await expect(bad).rejects.toMatchObject({ code: '22P02' });
  expect(await Promise.all([good, late])).toEqual([storedAll('bc'), storedAll('e')]);
});

test('while the database is away all of a commit hear it, and nothing is tried a second time', async () => {
  const { store, commits, calls } = heldBack();
  const { gather: gathered } = gatherBatches(store, 100, log, () => 1);
  const first = gathered(batchOf('a'), current);
  const others = [gathered(batchOf('b'), current), gathered(batchOf('c'), current)];
  const away = new ChatError('database_unavailable');
  commits[0]!.fail(away);
  await expect(first).rejects.toBe(away);
  await Promise.resolve();
  commits[1]!.fail(away);
  expect(await Promise.allSettled(others)).toEqual([
    { status: 'rejected', reason: away },
    { status: 'rejected', reason: away },
  ]);
  expect(calls()).toEqual(['a', 'bc']);
});

test('a poison message of one partition makes no message of another a dead letter', async () => {
  const committed: string[] = [];
  const store = async (batch: readonly MessageToStore[]) => {
    await Promise.resolve();
    if (batch.some(({ content }) => content === 'X')) throw sqlError('22021');
    committed.push(...batch.map(({ content }) => content));
    return batch.map(({ content }) => stored(content));
  };
  const stores = { ...gatherBatches(store, 100, log, () => 1), work: async () => true };
  const leaving = new AbortController().signal;
  const partitions = ['abc', 'dXe', 'fg', 'hij'];
  const outcomes = await Promise.all(
    partitions.map((letters) =>
      storeBatch({ stores, maxRetries: 0, log, leaving, current, onRetry }, batchOf(letters)),
    ),
  );
  expect(outcomes).toEqual([
    storedAll('abc'),
    [stored('d'), { outcome: 'failed', reason: 'storing failed: SQLSTATE 22021' }, stored('e')],
    storedAll('fg'),
    storedAll('hij'),
  ]);
  // Each once, and those of a partition in its order.
  expect(committed.toSorted()).toEqual([...'abcdefghij']);
  for (const letters of ['abc', 'de', 'fg', 'hij']) {
    expect(committed.filter((letter) => letters.includes(letter)).join('')).toBe(letters);
  }
});

test('a chat that stays locked delays the batches of others once', async () => {
  const calls: string[] = [];
  let locked = true;
  const store = async (batch: readonly MessageToStore[]) => {
    const letters = batch.map(({ content }) => content).join('');
    calls.push(letters);
    await Promise.resolve();
    if (letters.includes('L') && locked) throw new ChatError('database_unavailable');
    if (letters === 'b') locked = false;
    return storedAll(letters);
  };
  const stores = { ...gatherBatches(store, 100, log, () => 1), work: async () => true };
  const leaving = new AbortController().signal;
  const storing = (letters: string) =>
    storeBatch({ stores, maxRetries: 0, log, leaving, current, onRetry }, batchOf(letters));
  const all = await Promise.all([storing('a'), storing('L'), storing('b')]);
  expect(all).toEqual([storedAll('a'), storedAll('L'), storedAll('b')]);
  // Together once; whoever has to try again does so alone.
  expect(calls.slice(0, 2)).toEqual(['a', 'Lb']);
  expect(new Set(calls.slice(2))).toEqual(new Set(['L', 'b']));
});

test('who froze with a batch in hand stores nothing of it, neither from the gathering nor after a failure', async () => {
  const { store, commits, calls } = heldBack();
  const stores = { ...gatherBatches(store, 100, log, () => 1), work: async () => true };
  const leaving = new AbortController().signal;
  let ours = true;
  const storing = (letters: string) =>
    storeBatch({ stores, maxRetries: 0, log, leaving, current: () => ours, onRetry }, batchOf(letters));
  const first = storing('a');
  const second = storing('b');
  ours = false;
  commits[0]!.fail(new ChatError('database_unavailable'));
  const ends = await Promise.allSettled([first, second]);
  expect(ends.map((end) => end.status === 'rejected' && end.reason)).toEqual([
    expect.any(Abandoned),
    expect.any(Abandoned),
  ]);
  expect(calls()).toEqual(['a']);
});
