import { heapStats } from 'bun:jsc';
import { collectDefaultMetrics } from 'prom-client';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../shared/config.ts';
import { createMetrics, type Metrics } from '../shared/metrics/metrics.ts';

/** A page with what any process has: processor time, memory, lag of the event loop, and which program it is. */
export function createProcessMetrics({ buildCommit: commit }: Pick<Config, 'buildCommit'>): Metrics {
  const metrics = createMetrics();
  const { registry } = metrics;
  collectDefaultMetrics({ register: registry });
  metrics.read('confab_heap_objects', () => heapStats().objectCount);
  metrics.read('confab_build_info', () => [[{ version: packageJson.version, commit }, 1]]);
  return metrics;
}
