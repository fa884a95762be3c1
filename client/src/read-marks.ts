import { asError, isTransient } from './request.ts';

/** At most once a second, the last one; what does not come through is kept until `again()`, or another one. */
export function createReadMarks(tell: (sequence: number) => Promise<void>) {
  const everyMs = 1_000;
  let wanted: { sequence: number } | undefined;
  let telling = false;
  async function run(): Promise<void> {
    if (telling) return;
    telling = true;
    for (let now = wanted; now; now = wanted) {
      const second = new Promise((resolve) => setTimeout(resolve, everyMs));
      const error = await tell(now.sequence).then(() => undefined, asError);
      if (error && isTransient(error) && wanted === now) break;
      if (wanted === now) wanted = undefined;
      await second;
    }
    telling = false;
  }
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
