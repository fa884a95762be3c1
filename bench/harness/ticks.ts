/** At most so many wakings by a timer a second; between them ticks follow each other, each in a turn of its own. */
const mostWakings = 250;

export interface Ticks {
  count: number;
  aSecond: number;
}

/**
 * Calls `tick` so many times at a constant rate, each time in a turn of the event loop of its own: what one tick sends may
 * be put together, what two send may not. Who cannot keep the pace falls behind; ticks never come in a burst to catch up.
 */
export async function runTicks({ count, aSecond }: Ticks, tick: (at: number) => void): Promise<void> {
  const perWaking = Math.max(1, Math.ceil(aSecond / mostWakings));
  const gapMs = (1000 * perWaking) / aSecond;
  let due = performance.now();
  for (let done = 0; done < count; ) {
    const until = Math.min(count, done + perWaking);
    for (; done < until; done += 1) {
      await nextTurn();
      tick(done);
    }
    const now = performance.now();
    due = Math.max(due + gapMs, now);
    if (due > now) await sleep(due - now);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
