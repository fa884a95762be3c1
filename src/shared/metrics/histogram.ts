import type { Metric, Registry } from 'prom-client';

export interface Histogram {
  /** For what has these labels: made once, called for each value. */
  observer(labels: Record<string, string>): (value: number) => void;
}

interface Series {
  labels: Record<string, string>;
  /** Of values up to each bound that are above the one before; at the end of those above all. */
  counts: number[];
  sum: number;
}

/** On the registry's page like one of prom-client's. */
export function createHistogram(options: {
  registry: Registry;
  name: string;
  help: string;
  /** Upper bounds, ascending. */
  buckets: readonly number[];
}): Histogram {
  const { registry, name, help, buckets } = options;
  const series = new Map<string, Series>();

  function* valuesOf({ labels, counts, sum }: Series) {
    let count = 0;
    for (const [at, ofBucket] of counts.entries()) {
      count += ofBucket;
      yield { metricName: `${name}_bucket`, labels: { le: buckets[at] ?? '+Inf', ...labels }, value: count };
    }
    yield { metricName: `${name}_sum`, labels, value: sum };
    yield { metricName: `${name}_count`, labels, value: count };
  }

  // All that a registry asks of a metric. Not a class that extends theirs: past `get()` it asks a Histogram by a method that is not public,
  // and in their types `type` is a number.
  const metric = {
    name,
    get: async () => ({
      name,
      help,
      type: 'histogram',
      values: [...series.values()].flatMap((one) => [...valuesOf(one)]),
    }),
  };
  registry.registerMetric(metric as unknown as Metric);

  return {
    observer(labels) {
      const one = series.getOrInsertComputed(JSON.stringify(labels), () => ({
        ...{ labels, sum: 0 },
        counts: Array<number>(buckets.length + 1).fill(0),
      }));
      const { counts } = one;
      return (value) => {
        let at = 0;
        while (value > (buckets[at] ?? Number.POSITIVE_INFINITY)) at += 1;
        counts[at] = (counts[at] ?? 0) + 1;
        one.sum += value;
      };
    },
  };
}
