import { afterEach, expect, test } from 'bun:test';
import { createFreezeWatch, type FreezeWatch } from '../../src/process/freeze-watch.ts';

let watch: FreezeWatch;
afterEach(() => watch.stop());

test('time that goes by unseen is a freeze, however often it is asked for afterwards', () => {
  let now = 0;
  watch = createFreezeWatch(3_000, () => now);
  expect(watch.count()).toBe(0);
  for (const at of [2_900, 5_800, 8_700]) {
    now = at;
    expect(watch.count()).toBe(0);
  }
  now = 11_701;
  expect([watch.count(), watch.count()]).toEqual([1, 1]);
  now = 60_000;
  expect(watch.count()).toBe(2);
});

test('a process that runs ticks by itself', async () => {
  watch = createFreezeWatch(1_500);
  const until = performance.now() + 1_800;
  while (performance.now() < until) await Bun.sleep(100);
  expect(watch.count()).toBe(0);
});
