import type { TypingEvent } from './contract.ts';
import { createCell, storeOf } from './store.ts';
import { createTimers } from './timers.ts';

/** Who types in a chat: as long as the event says, or until their message comes. */
export function createTyping() {
  const cell = createCell<readonly string[]>([]);
  const timers = createTimers();
  const tell = () => cell.set(timers.keys());
  function end(userId: string): void {
    timers.clear(userId);
    tell();
  }
  return {
    store: storeOf(cell),
    take({ userId, typing, expiresInMs }: TypingEvent): void {
      if (typing) timers.set(tell, expiresInMs, userId);
      else timers.clear(userId);
      tell();
    },
    end,
    forget: () => timers.keys().forEach(end),
  };
}

/** One's own keys: told again and again while they go on, a little more seldom than the server takes it, which is every 3 s. @param tell is not waited for */
export function createKeystrokes(tell: (typing: boolean) => void) {
  const everyMs = 3_200;
  /** Undefined: nothing was told, or it is over; a message says it, too. */
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
    sent(): void {
      toldAt = undefined;
    },
  };
}
