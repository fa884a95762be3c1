import { expect, test } from 'bun:test';
import { newId } from '../../src/shared/ids.ts';
import { partitionsOf } from '../../src/worker/partitions-of.ts';

const partitionCount = 64;
const shares = (ids: readonly string[]) => ids.map((id) => partitionsOf(id, ids, partitionCount));

test('every partition belongs to exactly one worker, whatever order they are seen in', () => {
  const ids = Array.from({ length: 5 }, newId);
  const all = shares(ids).flatMap((share) => [...share]);
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitionCount }, (_, at) => at));
  for (const id of ids) {
    expect(partitionsOf(id, ids.toReversed(), partitionCount)).toEqual(partitionsOf(id, ids, partitionCount));
  }
});

test('one worker has all, and nobody is left out for long', () => {
  const [only] = [newId()];
  expect(partitionsOf(only, [only], partitionCount).size).toBe(partitionCount);
  for (const share of shares(Array.from({ length: 4 }, newId))) expect(share.size).toBeGreaterThan(4);
});

test('one that leaves gives up its own share and moves no other', () => {
  const ids = Array.from({ length: 4 }, newId);
  const before = shares(ids);
  const left = ids.slice(0, 3);
  for (const [at, id] of left.entries()) {
    const after = partitionsOf(id, left, partitionCount);
    for (const partition of before[at]!) expect(after).toContain(partition);
  }
});
