import type { Evidence } from '../evidence.ts';
import type { Resources } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** A pool (of 10, to PostgreSQL) may have opened what it keeps; a leak of one a connection is hundreds. */
const fewDescriptors = 16;
/** A heap grows to its working size and stays there. */
const memoryAllowanceBytes = 96 * 1024 * 1024;

/** I9 */
export function baselines({ history }: Evidence): Verdict {
  const tally = createTally('I9', 'sockets, descriptors and memory return to their baseline');
  for (const reading of history.processes) {
    const { before, after } = reading;
    const limits: Resources = {
      sockets: before.sockets + fewDescriptors,
      descriptors: before.descriptors + fewDescriptors,
      memoryBytes: Math.max(before.memoryBytes * 1.5, before.memoryBytes + memoryAllowanceBytes),
    };
    for (const what of ['sockets', 'descriptors', 'memoryBytes'] as const) {
      tally.check();
      if (after[what] <= limits[what]) continue;
      tally.violate(
        what,
        () => `${reading.name} had ${before[what]} ${what} before and ${after[what]} after`,
        () => [reading, { limits }],
      );
    }
  }
  return tally.verdict();
}
