import type { BenchPath } from './harness/bench.ts';
import { store } from './store.ts';

/** In the order in which they run. */
export const paths: readonly BenchPath[] = [store];
