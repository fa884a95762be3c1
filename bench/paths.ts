import { fanOutBig } from './fan-out-big.ts';
import { fanOutSmall } from './fan-out-small.ts';
import { groupSize } from './group-size.ts';
import type { BenchPath } from './harness/bench.ts';
import { store } from './store.ts';

/** In the order in which they run. */
export const paths: readonly BenchPath[] = [store, fanOutBig, fanOutSmall, groupSize];
