import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { metricTable } from './table.ts';

type Table = typeof metricTable;
export type MetricName = keyof Table;
type Of<Type> = { [Name in MetricName]: Table[Name]['type'] extends Type ? Name : never }[MetricName];

type Labels<Name extends MetricName> = Table[Name] extends { labels: infer Given }
  ? { [Label in keyof Given]: Given[Label] extends readonly (infer Value)[] ? Value : never }
  : Record<never, never>;
type Given<Name extends MetricName> = Table[Name] extends { labels: object } ? [labels: Labels<Name>] : [];

/** Of a metric with labels one value for each set of them. What is undefined is not shown. */
type Reading<Name extends MetricName> = Table[Name] extends { labels: object }
  ? readonly (readonly [labels: Labels<Name>, value: number])[] | undefined
  : number | undefined;

/**
 * What a process measures, under the names of `table.ts`: each is on the page from the first call that names it, once, whoever
 * else names it. Whatever is passed on the hot paths should be called with its labels once, and what comes of it for each message:
 * prom-client takes 350 ns for an observation, 100 for a count, and nothing is cheaper than a number that is read at a scrape.
 */
export interface Metrics {
  /** @returns adds what it is given, or 1 */
  counter<Name extends Of<'counter'>>(name: Name, ...labels: Given<Name>): (by?: number) => void;
  histogram<Name extends Of<'histogram'>>(name: Name, ...labels: Given<Name>): (value: number) => void;
  /** What is known anyway, asked for at each scrape; of several who are asked the values are added up. One that fails is left out. */
  read<Name extends Of<'counter' | 'gauge'>>(
    name: Name,
    reader: () => Reading<Name> | Promise<Reading<Name>>,
  ): void;
  /** prom-client's own go in here as well. */
  readonly registry: Registry;
}

type Reader = () => unknown;
type Value = readonly [labels: Record<string, string>, value: number];

/** A page of its own: two processes in one, as in tests, share nothing. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const known = new Map<MetricName, Counter | Gauge | Histogram>();
  const readers = new Map<MetricName, Reader[]>();

  function metricOf<Type extends Counter | Gauge | Histogram>(name: MetricName): Type {
    return known.getOrInsertComputed(name, () => make(name)) as Type;
  }

  function make(name: MetricName): Counter | Gauge | Histogram {
    const { type, help, labels = {}, buckets = [] } = metricTable[name] as Declared;
    const labelNames = Object.keys(labels);
    const options = { name, help, labelNames, registers };
    if (type === 'histogram') return new Histogram({ ...options, buckets: [...buckets] });
    const read = readers.get(name);
    if (read) {
      const collect = (): Promise<void> => collectInto(made, read);
      const made: Counter | Gauge =
        type === 'counter' ? new Counter({ ...options, collect }) : new Gauge({ ...options, collect });
      return made;
    }
    const counter = new Counter(options);
    // What has not happened yet is 0: the first time is an increase.
    const [[label, values] = ['', []], ...others] = Object.entries(labels);
    if (others.length === 0) for (const value of values) counter.inc({ [label]: value }, 0);
    return counter;
  }

  /** Read first, then changed in one tick: two scrapes at the same time would add theirs to one another. */
  async function collectInto(metric: Counter | Gauge, read: readonly Reader[]): Promise<void> {
    const values = (await Promise.all(read.map(valuesOf))).flat();
    metric.reset();
    if (values.length === 0) metric.remove({});
    for (const [labels, value] of values) metric.inc(labels, value);
  }

  return {
    registry,
    counter(name, ...[labels]) {
      const counter = metricOf<Counter>(name);
      return labels ? counter.labels(labels).inc : (by = 1) => counter.inc(by);
    },
    histogram(name, ...[labels]) {
      const histogram = metricOf<Histogram>(name);
      return labels ? histogram.labels(labels).observe : (value) => histogram.observe(value);
    },
    read(name, reader) {
      readers.getOrInsertComputed(name, () => []).push(reader);
      metricOf(name);
    },
  };
}

/** Of numbers that are counted by result. */
export const resultsOf = <Result extends string>(
  counts: Readonly<Record<Result, number>>,
): [labels: { result: Result }, value: number][] =>
  (Object.entries(counts) as [Result, number][]).map(([result, value]) => [{ result }, value]);

interface Declared {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels?: Readonly<Record<string, readonly string[]>>;
  buckets?: readonly number[];
}

async function valuesOf(read: Reader): Promise<Value[]> {
  try {
    const found = await read();
    if (found === undefined) return [];
    return typeof found === 'number' ? [[{}, found]] : (found as Value[]);
  } catch {
    return [];
  }
}
