import { useMemo, useSyncExternalStore } from 'react';
import type { Store } from '../types.ts';

/**
 * What is in a store, or what `select` makes of it: rendered again when that is not the same object as before.
 * @param onServer what a server shows, and its page until that is hydrated: by then the store may have more
 */
export function useStore<Snapshot, Selected = Snapshot>(
  store: Store<Snapshot>,
  select?: (snapshot: Snapshot) => Selected,
  onServer?: () => Snapshot,
): Selected;
export function useStore<Snapshot>(
  { subscribe, getSnapshot }: Store<Snapshot>,
  select: (snapshot: Snapshot) => unknown = same,
  onServer = getSnapshot,
): unknown {
  const selected = useMemo(() => oncePerSnapshot(select), [select]);
  return useSyncExternalStore(
    subscribe,
    () => selected(getSnapshot()),
    () => selected(onServer()),
  );
}

const same = <Snapshot>(snapshot: Snapshot): Snapshot => snapshot;

/** React asks twice, and renders for ever where it is given another object each time. */
function oncePerSnapshot<Snapshot>(select: (snapshot: Snapshot) => unknown): (snapshot: Snapshot) => unknown {
  let last: { snapshot: Snapshot; selected: unknown } | undefined;
  return (snapshot) => {
    if (!last || last.snapshot !== snapshot) last = { snapshot, selected: select(snapshot) };
    return last.selected;
  };
}
