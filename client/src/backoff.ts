import { asError, isSignedOut, isTransient } from './error.ts';

/** Between a half and the whole of a time that doubles with each failure, so that those who lost the same server do not come back in step. */
export const backoffMs = (failures: number): number =>
  Math.min(30_000, 500 * 2 ** failures) * (0.5 + Math.random() / 2);

export interface Pauses {
  wait(ms: number): Promise<void>;
  /** Ends all pauses: there is a reason to try again. */
  wake(): void;
}

export function createPauses(): Pauses {
  const sleeping = new Set<() => void>();
  return {
    wait: (ms) =>
      new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          sleeping.delete(end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        sleeping.add(end);
      }),
    wake() {
      for (const end of [...sleeping]) end();
    },
  };
}

/**
 * Again after what a pause mends.
 * @param isEnough whether it is given up after so many failures; where somebody has to sign in first it is given up at once
 * @throws ConfabError the last one
 */
export async function persist<Result>(
  pauses: Pauses,
  task: () => Promise<Result>,
  isEnough: (failures: number) => boolean,
): Promise<Result> {
  for (let failures = 0; ; ) {
    try {
      return await task();
    } catch (cause) {
      const error = asError(cause);
      if (isSignedOut(error) || !isTransient(error) || isEnough(failures + 1)) throw error;
      await pauses.wait(backoffMs(failures++));
    }
  }
}
