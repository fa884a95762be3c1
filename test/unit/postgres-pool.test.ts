import { expect, test } from 'bun:test';
import { join } from 'node:path';

/** Not exported by the package: the queue in which its pool keeps its connections. */
interface PoolQueue<Item> {
  readonly length: number;
  push(item: Item): Item;
  shift(): Item | undefined;
  remove(item: Item): Item | null;
}

const source = join(import.meta.dir, '../../node_modules/postgres/src/queue.js');
const { default: createQueue }: { default: <Item>(items?: Item[]) => PoolQueue<Item> } = await import(source);

test('a pool that is never idle nor busy as a whole costs the same after a million queries', () => {
  const queue = createQueue([1, 2, 3]);
  const queries = (count: number) => {
    for (let at = 0; at < count; at += 1) queue.push(queue.shift() ?? 0);
  };
  queries(1_000_000);
  const began = performance.now();
  for (let at = 0; at < 1_000; at += 1) {
    expect(queue.remove(2)).toBe(2);
    queue.push(2);
  }
  // Unpatched, each looks through a million entries: most of a second.
  expect(performance.now() - began).toBeLessThan(200);
  expect(queue.length).toBe(3);
});

test('what the queue was given comes out in order, whatever was removed', () => {
  const queue = createQueue<number>();
  const expected: number[] = [];
  for (let at = 0; at < 1_000; at += 1) {
    queue.push(at);
    expected.push(at);
    if (at % 3 === 0) expect(queue.shift()).toBe(expected.shift());
    if (at % 7 === 0 && expected.length > 2) {
      const [middle] = expected.splice(expected.length >> 1, 1);
      expect(queue.remove(middle ?? -1)).toBe(middle ?? -1);
    }
  }
  expect(queue.remove(-1)).toBeNull();
  while (expected.length > 0) expect(queue.shift()).toBe(expected.shift());
  expect(queue.length).toBe(0);
});
