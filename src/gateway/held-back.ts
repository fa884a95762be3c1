import type { Change } from './change.ts';

/**
 * Two processes that announce changes of one chat overtake each other: at a hundred a second every tenth arrives too early, by
 * milliseconds. So long its predecessor is waited for before PostgreSQL is asked.
 */
export const heldMs = 20;
/** Of one chat. Where more come in that time, the one that is missing is lost, or its chat too busy to wait for it. */
export const mostHeld = 64;

/** What was announced of one chat beyond the next number. */
export interface HeldBack {
  /** Once: a repeat is the same. Full, or after {@link heldMs}, all of it is given up, and `expired` is told the highest number. */
  hold(change: Change): void;
  /** The one of this number, if it is held. */
  take(eventSequence: number): Change | undefined;
  /** Forgets what is numbered up to here. */
  dropThrough(eventSequence: number): void;
  /** Forgets all. */
  clear(): void;
}

export function createHeldBack(expired: (highest: number) => void): HeldBack {
  /** In the order of arrival. */
  const held = new Map<number, { change: Change; since: number }>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function clear(): void {
    held.clear();
    clearTimeout(timer);
    timer = undefined;
  }

  function giveUp(): void {
    const highest = Math.max(...held.keys());
    clear();
    expired(highest);
  }

  /** The timer is that of whoever was there first then; who is first now has waited for less time. */
  function look(): void {
    timer = undefined;
    const [oldest] = held.values();
    if (!oldest) return;
    const leftMs = oldest.since + heldMs - performance.now();
    if (leftMs > 1) timer = setTimeout(look, leftMs);
    else giveUp();
  }

  return {
    hold(change) {
      if (held.has(change.eventSequence)) return;
      held.set(change.eventSequence, { change, since: performance.now() });
      if (held.size > mostHeld) giveUp();
      else timer ??= setTimeout(look, heldMs);
    },
    take(eventSequence) {
      const found = held.get(eventSequence);
      held.delete(eventSequence);
      return found?.change;
    },
    dropThrough(eventSequence) {
      for (const number of held.keys()) if (number <= eventSequence) held.delete(number);
    },
    clear,
  };
}
