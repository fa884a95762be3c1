import { asError, isTransient } from './error.ts';
import { repeated } from './turns.ts';

/** At most once a second, the last one; what does not come through is kept until `again()`, or another one. */
export function createReadMarks(tell: (sequence: number) => Promise<void>) {
  const everyMs = 1_000;
  let wanted: { sequence: number } | undefined;
  const run = repeated(async () => {
    for (let now = wanted; now; now = wanted) {
      const second = new Promise((resolve) => setTimeout(resolve, everyMs));
      const error = await tell(now.sequence).then(() => undefined, asError);
      if (error && isTransient(error) && wanted === now) break;
      if (wanted === now) wanted = undefined;
      await second;
    }
  });
  return {
    mark(sequence: number): void {
      wanted = { sequence };
      void run();
    },
    again: () => void run(),
    /** Something else has been said since. */
    drop(): void {
      wanted = undefined;
    },
  };
}
