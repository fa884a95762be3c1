import { withDeadline } from '../shared/deadline.ts';
import type { Logger } from '../shared/log.ts';

export interface Lifecycle {
  /** Registers the undo of something just made; undone last-first. */
  defer(name: string, undo: () => unknown): void;
  /** Whether a signal to end has come: others should be led elsewhere. */
  leaving(): boolean;
  /** Undoes everything once, going on past failures, each undo within its share of the grace period. */
  stop(): Promise<void>;
  /**
   * Resolves when SIGTERM or SIGINT has come and everything is undone; a second signal ends the process at once. The two SIGINTs
   * of one Ctrl-C are one: npm hands on what the terminal has sent to all already.
   */
  untilSignal(): Promise<void>;
}

/** Nobody presses Ctrl-C again so soon; npm's own comes within 10 ms. */
const sameKeyMs = 300;

/** How long all undoing together may take: whoever ends a process by force waits longer (`deploy/kubernetes`, `docker-compose.yml`). */
export const usualGraceMs = 25_000;

export function createLifecycle(log: Logger, graceMs = usualGraceMs): Lifecycle {
  const undos: { name: string; undo: () => unknown }[] = [];
  let stopping: Promise<void> | undefined;
  let leaving = false;

  async function undoAll(): Promise<void> {
    const end = Date.now() + graceMs;
    for (let next = undos.pop(); next; next = undos.pop()) {
      const { name, undo } = next;
      const late = () => new Error(`${name} was not closed in time`);
      try {
        await withDeadline(Promise.resolve(undo()), Math.max(100, end - Date.now()), late);
      } catch (error) {
        log.warn({ err: error }, `closing ${name} failed`);
      }
    }
  }

  const stop = () => {
    stopping ??= undoAll();
    return stopping;
  };

  return {
    defer(name, undo) {
      undos.push({ name, undo });
    },
    leaving: () => leaving,
    stop,
    async untilSignal() {
      let startedAt = 0;
      const came = await new Promise<string>((resolve) => {
        const onSignal = (signal: string) => {
          if (signal === 'SIGINT' && leaving && performance.now() - startedAt < sameKeyMs) return;
          if (leaving) process.exit(130);
          leaving = true;
          startedAt = performance.now();
          resolve(signal);
        };
        process.on('SIGINT', onSignal);
        process.on('SIGTERM', onSignal);
      });
      log.info(`${came}: leaving`);
      await stop();
      log.info(`left in ${Math.round((performance.now() - startedAt) / 100) / 10} s`);
    },
  };
}
