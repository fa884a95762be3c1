import type { Store } from '@confab/client';
import { useSyncExternalStore } from 'preact/compat';

/** What a store holds now, and again whenever that changes. */
export const useStore = <Snapshot>(store: Store<Snapshot>): Snapshot =>
  useSyncExternalStore(store.subscribe, store.getSnapshot);
