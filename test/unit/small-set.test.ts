import { expect, test } from 'bun:test';
import { SmallSet } from '../../src/gateway/small-set.ts';

test('a small set does what a Set does, at any size', () => {
  const small = new SmallSet<number>();
  const set = new Set<number>();
  let state = 1;
  for (let step = 0; step < 2_000; step += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const item = (state >> 8) % (step < 1_000 ? 6 : 30);
    if ((state >> 16) % 2 === 0) {
      expect(small.add(item)).toBe(small);
      set.add(item);
    } else {
      expect(small.delete(item)).toBe(set.delete(item));
    }
    expect(small.size).toBe(set.size);
    expect(small.has(item)).toBe(set.has(item));
    expect([...small].toSorted()).toEqual([...set].toSorted());
  }
});

test('it may be changed while it is gone through', () => {
  const small = new SmallSet<string>().add('a').add('b').add('c');
  for (const item of small) small.delete(item);
  expect(small.size).toBe(0);
});

test('Sets compare themselves with it', () => {
  expect(new Set(['a', 'b']).symmetricDifference(new SmallSet<string>().add('b').add('c'))).toEqual(
    new Set(['a', 'c']),
  );
});
