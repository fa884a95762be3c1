/** `bun src/worker.ts`: stores what the api has accepted; `/healthz`, `/readyz` and `/metrics` on `WORKER_PORT`. */

import { createAdapters } from './adapters/adapters.ts';
import { createHealthApp } from './process/http/health.ts';
import { pageOfSeveral } from './process/http/metrics-route.ts';
import { listen } from './process/http-server.ts';
import { readinessOf } from './process/readiness.ts';
import { runProcess } from './process/run-process.ts';
import { StartError } from './shared/start-error.ts';
import { assembleWorker } from './worker/assemble.ts';

const servers = ['postgres', 'redis', 'rabbitmq'] as const;

await runProcess('worker', { secret: 'none', servers }, async (parts) => {
  const { config, log, lifecycle, metrics } = parts;
  if (!config.worker.enabled) {
    throw new StartError(
      'CHAT_WORKER_ENABLED is false: set it to true here, or use `bun run worker`, which does.',
    );
  }
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab worker', ...parts });
  const database = await adapters.database();
  const worker = await assembleWorker(parts, adapters);

  const queue = { own: true, check: worker.ready, problems: worker.problems, figures: worker.depth };
  const { hintsReady: hints, peersAgree: peers } = adapters;
  const { leaving } = lifecycle;
  const health = createHealthApp(
    readinessOf({ database, queue, hints, peers, leaving }),
    log,
    pageOfSeveral(metrics, config),
  );
  const { host, workerPort: port } = config;
  const http = listen({ host, port, log, fetch: health.fetch }, 'WORKER_PORT');
  // Nobody is led here: its partitions are given up at once.
  lifecycle.defer('the http server', http.stop);
  log.info(`consuming; health on ${http.place}`);
});
