export interface FreezeWatch {
  /** How often this process stood still so far: another number than before means that time went by unseen. */
  count(): number;
  stop(): void;
}

const tickMs = 500;

/**
 * Notices that the process was stopped for a while (SIGSTOP, a paused machine, a blocked event loop): no tick came, and
 * meanwhile others may have taken its work over. Whoever asks first after it sees it, before or after the tick.
 * @param limitMs shorter than it takes others to notice
 */
export function createFreezeWatch(limitMs: number, now: () => number = () => performance.now()): FreezeWatch {
  let freezes = 0;
  let last = now();

  function count(): number {
    const at = now();
    if (at - last > limitMs) freezes += 1;
    last = at;
    return freezes;
  }

  const timer = setInterval(count, tickMs);
  timer.unref();
  return { count, stop: () => clearInterval(timer) };
}
