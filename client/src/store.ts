import type { Store } from './types.ts';

export interface Cell<Snapshot> extends Store<Snapshot> {
  /** Tells whoever listens, unless it is the same, or has the same in it. */
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
      if (isSame(next, snapshot)) return;
      snapshot = next;
      for (const listener of [...listeners]) {
        try {
          listener();
        } catch (error) {
          // Its own affair: the others are told all the same.
          report(error);
        }
      }
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

/** Of a cell what others may have. */
export const storeOf = <Snapshot>({ subscribe, getSnapshot }: Cell<Snapshot>): Store<Snapshot> => ({
  subscribe,
  getSnapshot,
});

/** Two objects of one kind that have the same in them are the same for whoever shows them; a map is compared by its entries. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Map && other instanceof Map) return isSame([...one].flat(), [...other].flat());
  if (!isObject(one) || !isObject(other)) return Object.is(one, other);
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.is(one[key], other[key]));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const report = (error: unknown): void => {
  if (typeof reportError === 'function') reportError(error);
  else void Promise.reject(error);
};
