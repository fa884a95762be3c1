import { expect, test } from 'bun:test';
import { runningMs } from '../support/running-time.ts';

test('work of this process counts whole', () => {
  const began = runningMs();
  const until = performance.now() + 1_000;
  while (performance.now() < until);
  // Of a process that others keep from the processor, less.
  expect(runningMs() - began).toBeGreaterThan(300);
});

test('time goes on evenly while others work', async () => {
  const [began, at] = [runningMs(), performance.now()];
  await Bun.sleep(300);
  expect(runningMs() - began).toBeLessThanOrEqual(performance.now() - at + 1);
  expect(runningMs() - began).toBeGreaterThan(50);
});

test('a standstill counts for a tenth of a second', async () => {
  const began = runningMs();
  // As when the machine stands still: this process neither runs nor works.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  expect(runningMs() - began).toBeLessThan(300);
});
