import { expect, test } from 'bun:test';
import { once } from '../../src/shared/once.ts';

test('the work begins once, and anew after it was rejected', async () => {
  let begun = 0;
  const work = once(async () => {
    begun += 1;
    if (begun === 1) throw new Error('not yet');
    return { begun };
  });
  expect(await Promise.allSettled([work(), work()])).toMatchObject([
    { status: 'rejected' },
    { status: 'rejected' },
  ]);
  expect([await work(), await work()]).toEqual([{ begun: 2 }, { begun: 2 }]);
});
