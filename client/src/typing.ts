import type { TypingEvent } from './contract.ts';
import { createCell } from './store.ts';

/** Who types in a chat: as long as the event says, or until their message comes. */
export function createTyping() {
  const cell = createCell<readonly string[]>([]);
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  function end(userId: string): void {
    clearTimeout(timers.get(userId));
    if (timers.delete(userId)) cell.set([...timers.keys()]);
  }
  return {
    store: { subscribe: cell.subscribe, getSnapshot: cell.getSnapshot },
    take({ userId, typing, expiresInMs }: TypingEvent): void {
      if (!typing) {
        end(userId);
        return;
      }
      const known = timers.has(userId);
      clearTimeout(timers.get(userId));
      timers.set(
        userId,
        setTimeout(() => end(userId), expiresInMs),
      );
      if (!known) cell.set([...timers.keys()]);
    },
    end,
    forget(): void {
      for (const userId of [...timers.keys()]) end(userId);
    },
  };
}

/** One's own keys: told every 3 s while they go on. @param tell is not waited for */
export function createKeystrokes(tell: (typing: boolean) => void) {
  const everyMs = 3_000;
  let toldAt: number | undefined;
  return {
    keystroke(): void {
      const now = performance.now();
      if (toldAt !== undefined && now - toldAt < everyMs) return;
      toldAt = now;
      tell(true);
    },
    stop(): void {
      if (toldAt !== undefined) tell(false);
      toldAt = undefined;
    },
    /** A message says it, too. */
    sent(): void {
      toldAt = undefined;
    },
  };
}
