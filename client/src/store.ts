import type { Store } from './types.ts';

export interface Cell<Snapshot> extends Store<Snapshot> {
  /** Tells whoever listens, unless it is the same. */
  set(next: Snapshot): void;
  isWatched(): boolean;
}

/** @param watched told when the first one listens, and when nobody does any more */
export function createCell<Snapshot>(first: Snapshot, watched?: (is: boolean) => void): Cell<Snapshot> {
  let snapshot = first;
  const listeners = new Set<() => void>();
  return {
    getSnapshot: () => snapshot,
    isWatched: () => listeners.size > 0,
    set(next) {
      if (Object.is(next, snapshot)) return;
      snapshot = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      // Each call is one listener, also of a function that listens twice.
      const own = () => listener();
      listeners.add(own);
      if (listeners.size === 1) watched?.(true);
      return () => {
        if (listeners.delete(own) && listeners.size === 0) watched?.(false);
      };
    },
  };
}
