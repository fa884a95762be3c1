import { heapStats } from 'bun:jsc';
import { collectDefaultMetrics } from 'prom-client';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../shared/config.ts';
import { createMetrics, type Metrics } from '../shared/metrics/metrics.ts';
import { processMetrics } from '../shared/metrics/process-metrics.ts';

/** A page with what any process has: processor time, memory, lag of the event loop, and which program it is. */
export function createProcessMetrics({ buildCommit: commit }: Pick<Config, 'buildCommit'>): Metrics {
  const metrics = createMetrics();
  const { registry } = metrics;
  collectDefaultMetrics({ register: registry });
  const kept = new Set(processMetrics);
  for (const { name } of registry.getMetricsAsArray()) if (!kept.has(name)) registry.removeSingleMetric(name);
  metrics.read('confab_heap_objects', createHeapCount());
  metrics.read('confab_build_info', () => [[{ version: packageJson.version, commit }, 1]]);
  return metrics;
}

const countEveryMs = 60_000;
/** Counting stops everything else: 70 ms for a million objects. So long after one that took a millisecond it is not done again. */
const pauseForEachMs = 10_000;

function createHeapCount(): () => number {
  let objects = 0;
  let dueAt = 0;
  return () => {
    const now = performance.now();
    if (now >= dueAt) {
      objects = heapStats().objectCount;
      dueAt = now + Math.max(countEveryMs, pauseForEachMs * (performance.now() - now));
    }
    return objects;
  };
}
