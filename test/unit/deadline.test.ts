import { expect, test } from 'bun:test';
import { createDeadline } from '../../src/shared/deadline.ts';

const late = () => new Error('late');
const never = () => new Promise<never>(() => {});

test('what settles in time is handed on, a result as well as an error', async () => {
  const within = createDeadline(5_000);
  expect(await within(Promise.resolve(7), late)).toBe(7);
  await expect(within(Promise.reject(new Error('no')), late)).rejects.toThrow('no');
});

test('whoever is not done in time is late, each at its own time, again and again', async () => {
  const within = createDeadline(40);
  for (const round of [1, 2]) {
    const beganAt = performance.now();
    const first = within(never(), late).catch(() => performance.now() - beganAt);
    await Bun.sleep(20);
    const second = within(never(), late).catch(() => performance.now() - beganAt);
    const third = within(Promise.resolve(round), late);
    const [firstMs, secondMs] = [await first, await second];
    expect(firstMs).toBeGreaterThanOrEqual(40);
    expect(secondMs).toBeGreaterThanOrEqual(60);
    expect(secondMs).toBeGreaterThan(firstMs);
    expect(await third).toBe(round);
  }
});

test('what comes after its deadline changes nothing', async () => {
  const within = createDeadline(10);
  const { promise, resolve } = Promise.withResolvers<number>();
  const answer = within(promise, late);
  await expect(answer).rejects.toThrow('late');
  resolve(1);
  await expect(answer).rejects.toThrow('late');
});
