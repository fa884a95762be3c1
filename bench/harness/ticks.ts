/** At most so many wakings by a timer a second; between them ticks follow each other, each in a turn of its own. */
const mostWakings = 250;

export interface Ticks {
  /** The number of the first; 0 where it is not given. */
  first?: number;
  count: number;
  aSecond: number;
}

/**
 * Calls `tick` with so many numbers at a constant rate, each in a turn of the event loop of its own: what one tick sends may
 * be put together, what two send may not. Who cannot keep the pace falls behind; ticks never come in a burst to catch up.
 */
export async function runTicks(
  { first = 0, count, aSecond }: Ticks,
  tick: (at: number) => void,
): Promise<void> {
  const perWaking = Math.max(1, Math.ceil(aSecond / mostWakings));
  const gapMs = (1000 * perWaking) / aSecond;
  let due = performance.now();
  for (let done = 0; done < count; ) {
    const until = Math.min(count, done + perWaking);
    for (; done < until; done += 1) {
      await nextTurn();
      tick(first + done);
    }
    const now = performance.now();
    due = Math.max(due + gapMs, now);
    if (due > now) await sleep(due - now);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
