import { expect, test } from 'bun:test';
import { hintsAreLost, tortured, workersCrash } from '../support/tortured.ts';

/** Of the torture that finds what was broken on purpose: what was not broken it does not find. */
test('as it is, the same faults break nothing', async () => {
  expect(await tortured([...workersCrash, { ...hintsAreLost[0]!, atMs: 13_000 }], [])).toEqual([]);
}, 180_000);
