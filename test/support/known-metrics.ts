import { processMetrics } from '../../src/shared/metrics/process-metrics.ts';
import { metricTable } from '../../src/shared/metrics/table.ts';
import { namesIn } from './promql.ts';
import { readText } from './repository.ts';

/** Of others than Confab, with their labels. */
const exporters: Readonly<Record<string, readonly string[]>> = {
  // Prometheus's own, of each target.
  up: [],
  // prom-client's, of each process.
  ...Object.fromEntries(processMetrics.map((name) => [name, []])),
  // RabbitMQ's: /metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count at port 15692, from 3.10 on.
  rabbitmq_detailed_queue_messages_ready: ['vhost', 'queue'],
  rabbitmq_detailed_queue_consumers: ['vhost', 'queue'],
  // postgres_exporter's, from 0.14 on; the second with --collector.database_wraparound.
  pg_replication_lag_seconds: [],
  pg_database_wraparound_age_datfrozenxid_seconds: ['datname'],
  // node_exporter's.
  node_filesystem_avail_bytes: ['mountpoint'],
  node_filesystem_size_bytes: ['mountpoint'],
  // blackbox_exporter's.
  probe_ssl_earliest_cert_expiry: [],
};
/** Prometheus gives them to whatever it scrapes. */
const ofTargets = ['job', 'instance'];

/** The values of each label; none where there is no list of them. */
type Labels = Readonly<Record<string, readonly string[]>>;

function labelsOf(metric: string): Labels | undefined {
  const others = exporters[metric];
  if (others) return Object.fromEntries(others.map((label) => [label, []]));
  const table: Record<string, { type: string; labels?: Labels }> = metricTable;
  const plain = table[metric];
  if (plain && plain.type !== 'histogram') return plain.labels ?? {};
  const [, base = '', part] = /^(.*)_(bucket|sum|count)$/.exec(metric) ?? [];
  const histogram = table[base];
  if (histogram?.type !== 'histogram') return undefined;
  return { ...histogram.labels, ...(part === 'bucket' ? { le: [] } : {}) };
}

/** What an expression names and nobody has. */
export function unknownNames(expression: string): string[] {
  const { selectors, grouping } = namesIn(expression);
  const unknown: string[] = [];
  const known = new Set(ofTargets);
  for (const { metric, matchers } of selectors) {
    const labels = labelsOf(metric);
    if (!labels) {
      unknown.push(metric);
      continue;
    }
    for (const label of Object.keys(labels)) known.add(label);
    for (const { label, operator, value } of matchers) {
      const values = labels[label];
      if (!values && !ofTargets.includes(label)) unknown.push(`${metric}{${label}}`);
      const isListed = operator.includes('~') || value === '' || !values?.length || values.includes(value);
      if (!isListed) unknown.push(`${metric}{${label}="${value}"}`);
    }
  }
  return [...unknown, ...grouping.filter((label) => !known.has(label)).map((label) => `by (${label})`)];
}

interface Panel {
  title: string;
  panels?: Panel[];
  targets?: { expr: string }[];
}

export async function expressionsOfDashboard(): Promise<string[]> {
  const { panels } = JSON.parse(await readText('deploy/grafana/confab.json')) as { panels: Panel[] };
  const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  return all.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}
