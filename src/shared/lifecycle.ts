import { withDeadline } from './deadline.ts';
import type { Logger } from './log.ts';

export interface Lifecycle {
  /** Registers the undo of something just made; undone last-first. */
  defer(name: string, undo: () => unknown): void;
  /** Undoes everything once, going on past failures, each undo within its share of the grace period. */
  stop(): Promise<void>;
  /** Resolves when SIGTERM or SIGINT has come and everything is undone; a second signal ends the process at once. */
  untilSignal(): Promise<void>;
}

/** @param graceMs how long all undoing together may take */
export function createLifecycle(log: Logger, graceMs = 25_000): Lifecycle {
  const undos: { name: string; undo: () => unknown }[] = [];
  let stopping: Promise<void> | undefined;

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
    stop,
    async untilSignal() {
      await new Promise<void>((resolve) => {
        let signals = 0;
        const onSignal = () => {
          signals += 1;
          if (signals > 1) process.exit(130);
          resolve();
        };
        process.on('SIGINT', onSignal);
        process.on('SIGTERM', onSignal);
      });
      await stop();
    },
  };
}
