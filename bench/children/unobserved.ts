import { join } from 'node:path';
import { plugin } from 'bun';
import { Registry } from 'prom-client';

/**
 * Preloaded by a process of Confab's: what measures in it is replaced by what does not, and reads no clock for it. What a batch of the
 * worker's counts stays, for others than the metrics read it as well.
 */
const nothing = () => {};

const createMetrics: typeof import('../../src/shared/metrics/metrics.ts').createMetrics = () => ({
  registry: new Registry(),
  counter: () => nothing,
  histogram: () => nothing,
  read: nothing,
});
const resultsOf: typeof import('../../src/shared/metrics/metrics.ts').resultsOf = () => [];
const createProcessMetrics: typeof import('../../src/process/process-metrics.ts').createProcessMetrics = () =>
  createMetrics();
const createRequestMetrics: typeof import('../../src/process/http/request-metrics.ts').createRequestMetrics =
  () => ({ begin: () => 0, end: nothing });
const measuredDatabase: typeof import('../../src/db/measured.ts').measuredDatabase = (database) => database;
const measureRedis: typeof import('../../src/adapters/redis/measure.ts').measureRedis = () => (ask) => ask();
const measurePublishes: typeof import('../../src/adapters/rabbitmq/publish-metrics.ts').measurePublishes =
  () => () => ({ sent: nothing, ended: nothing });
const createSequencerMetrics: typeof import('../../src/gateway/sequencer-metrics.ts').createSequencerMetrics =
  () => ({ announced: nothing, told: nothing, filled: nothing, found: nothing, heard: nothing });

const replaced: Readonly<Record<string, Record<string, unknown>>> = {
  'shared/metrics/metrics.ts': { createMetrics, resultsOf },
  'process/process-metrics.ts': { createProcessMetrics },
  'process/http/request-metrics.ts': { createRequestMetrics },
  'db/measured.ts': { measuredDatabase },
  'adapters/redis/measure.ts': { measureRedis },
  'adapters/rabbitmq/publish-metrics.ts': { measurePublishes },
  'gateway/sequencer-metrics.ts': { createSequencerMetrics },
};

plugin({
  name: 'unobserved',
  setup(build) {
    for (const [name, exports] of Object.entries(replaced)) {
      const path = join(import.meta.dir, '../../src', name);
      build.onLoad({ filter: new RegExp(`^${RegExp.escape(path)}$`) }, () => ({ exports, loader: 'object' }));
    }
  },
});
