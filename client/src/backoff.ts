/** Between a half and the whole of a time that doubles with each failure, so that those who lost the same server do not come back in step. */
export const backoffMs = (failures: number, capMs = 30_000): number =>
  Math.min(capMs, 500 * 2 ** Math.min(failures, 20)) * (0.5 + Math.random() / 2);

export interface Pauses {
  /** @param leastMs what a server asks for is kept, whoever wakes */
  wait(ms: number, leastMs?: number): Promise<void>;
  /** Ends all pauses: there is a reason to try again. */
  wake(): void;
}

export function createPauses(): Pauses {
  const sleeping = new Set<() => void>();
  const sleep = (ms: number, isWoken: boolean) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        sleeping.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, longestMs));
      if (isWoken) sleeping.add(end);
    });
  return {
    async wait(ms, leastMs = 0) {
      if (leastMs > 0) await sleep(leastMs * (1 + Math.random() / 5), false);
      if (ms > leastMs) await sleep(ms - leastMs, true);
    },
    wake() {
      for (const end of [...sleeping]) end();
    },
  };
}

/** What a timer holds. */
const longestMs = 2 ** 31 - 1;
