import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';

/**
 * Does the work when it is called, and tries again until it is done. Called while it is at it, it does it once more after
 * that.
 * @param what for the log
 */
export function untilDone(
  what: string,
  work: () => Promise<void>,
  { log, signal }: { log: Logger; signal: AbortSignal },
): () => void {
  let wanted = false;
  let running = false;

  async function run(): Promise<void> {
    for (let failures = 0; wanted && !signal.aborted; ) {
      wanted = false;
      try {
        await work();
        failures = 0;
      } catch (error) {
        if (failures === 0) log.warn({ err: error, what }, 'comparing with PostgreSQL failed; trying again');
        wanted = true;
        await pause(fullJitterMs(failures++), signal);
      }
    }
    running = false;
  }

  return () => {
    wanted = true;
    if (running || signal.aborted) return;
    running = true;
    void run();
  };
}
