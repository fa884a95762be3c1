import { Counter, Gauge, Registry } from 'prom-client';
import { createHistogram, type Histogram } from './histogram.ts';
import { type Declared, metricTable } from './table.ts';

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
 * else names it. Whatever is passed on the hot paths should be called with its labels once, and what comes of it for each message.
 * Counts are numbers of our own, which prom-client reads at a scrape: its own hash the labels each time, which with histograms took the api
 * 5 % of a send.
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
  const histograms = new Map<MetricName, Histogram>();
  const cells = new Map<MetricName, Map<string, Cell>>();
  const readers = new Map<MetricName, Reader[]>();

  function read(name: MetricName, reader: Reader): void {
    const known = readers.get(name);
    if (known) {
      known.push(reader);
      return;
    }
    const all = [reader];
    readers.set(name, all);
    const { type, help, labels = {} } = metricTable[name] as Declared;
    const labelNames = Object.keys(labels);
    const collect = (): Promise<void> => collectInto(made, all);
    const options = { name, help, labelNames, registers, collect };
    const made: Counter | Gauge = type === 'counter' ? new Counter(options) : new Gauge(options);
  }

  function cellsOf(name: MetricName): Map<string, Cell> {
    const known = cells.get(name);
    if (known) return known;
    const made = new Map<string, Cell>();
    cells.set(name, made);
    // What has not happened yet is 0: the first time is an increase.
    const { labels = {} } = metricTable[name] as Declared;
    const [[label, values] = ['', []], ...others] = Object.entries(labels);
    if (others.length === 0) for (const value of values) cellOf(made, { [label]: value });
    read(name, () =>
      made
        .values()
        .map(({ labels, value }) => [labels, value] as const)
        .toArray(),
    );
    return made;
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
    counter(name, ...[labels = {}]) {
      const cell = cellOf(cellsOf(name), labels);
      return (by = 1) => {
        cell.value += by;
      };
    },
    histogram(name, ...[labels = {}]) {
      const histogram = histograms.getOrInsertComputed(name, () => {
        const { help, buckets = [] } = metricTable[name] as Declared;
        return createHistogram({ registry, name, help, buckets });
      });
      return histogram.observer(labels);
    },
    read,
  };
}

/** A count, and of what. */
interface Cell {
  labels: Record<string, string>;
  value: number;
}

const cellOf = (cells: Map<string, Cell>, labels: Record<string, string>): Cell =>
  cells.getOrInsertComputed(JSON.stringify(labels), () => ({ labels, value: 0 }));

/** Of numbers that are counted by result. */
export const resultsOf = <Result extends string>(
  counts: Readonly<Record<Result, number>>,
): [labels: { result: Result }, value: number][] =>
  (Object.entries(counts) as [Result, number][]).map(([result, value]) => [{ result }, value]);

async function valuesOf(read: Reader): Promise<Value[]> {
  try {
    const found = await read();
    if (found === undefined) return [];
    return typeof found === 'number' ? [[{}, found]] : (found as Value[]);
  } catch {
    return [];
  }
}
