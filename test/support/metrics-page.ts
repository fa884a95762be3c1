import type { Metrics } from '../../src/shared/metrics/metrics.ts';

export interface MetricsPage {
  text: string;
  /** Names of which there is a value; a histogram's is its own. */
  names: ReadonlySet<string>;
  /** The sum of all values whose labels agree; 0 where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

const sample = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/i;

export function readMetricsPage(text: string): MetricsPage {
  const histograms = new Set([...text.matchAll(/^# TYPE (\S+) histogram$/gm)].map(([, name = '']) => name));
  const samples = text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = sample.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, of]) => [label, of]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
  const baseOf = (name: string) => {
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    return histograms.has(base) ? base : name;
  };
  return {
    text,
    names: new Set(samples.map(({ name }) => baseOf(name))),
    value: (wanted, of = {}) =>
      samples
        .filter(
          ({ name, labels }) => name === wanted && Object.entries(of).every(([k, v]) => labels[k] === v),
        )
        .reduce((sum, { value }) => sum + value, 0),
  };
}

export const pageOf = async ({ registry }: Metrics): Promise<MetricsPage> =>
  readMetricsPage(await registry.metrics());

/** @throws Error when it is not answered with 200 */
export async function scrape(url: string, token?: string): Promise<MetricsPage> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/metrics`, { headers });
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}: ${await answer.text()}`);
  return readMetricsPage(await answer.text());
}
