import { heapSize, heapStats } from 'bun:jsc';
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

/** Counting goes through the whole heap while nothing else runs: 70 ms for a million objects, which are some 64 MiB. */
const mostHeapBytes = 64 * 1024 * 1024;
const countEveryMs = 60_000;

/** @returns undefined where there are too many */
function createHeapCount(): () => number | undefined {
  let counted: { at: number; objects: number } | undefined;
  return () => {
    const at = performance.now();
    if (counted && at - counted.at < countEveryMs) return counted.objects;
    counted = heapSize() <= mostHeapBytes ? { at, objects: heapStats().objectCount } : undefined;
    return counted?.objects;
  };
}
