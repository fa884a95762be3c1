/** `bun src/worker.ts`: stores what the api has accepted; `/healthz` and `/readyz` on `WORKER_PORT`. */

import { createHealthApp } from './api/health-app.ts';
import { readinessOf } from './api/readiness.ts';
import { createAdapters } from './shared/adapters.ts';
import { listen } from './shared/http-server.ts';
import { runProcess } from './shared/run-process.ts';
import { StartError } from './shared/start-error.ts';
import { assembleWorker } from './worker/assemble.ts';

await runProcess('worker', { secret: 'none' }, async (parts) => {
  const { config, log, lifecycle } = parts;
  if (!config.worker.enabled) {
    throw new StartError(
      'CHAT_WORKER_ENABLED is false: set it to true here, or use `bun run worker`, which does.',
    );
  }
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab-worker', ...parts });
  const database = await adapters.database();
  const worker = await assembleWorker(parts, adapters);

  const queue = { required: true, check: worker.ready };
  const health = createHealthApp(readinessOf({ database, queue, hints: adapters.hintsReady }), log);
  const http = listen(
    { port: config.workerPort, log, fetch: (request) => health.fetch(request) },
    'WORKER_PORT',
  );
  lifecycle.defer('the http server', http.stop);
  log.info(`consuming; health on http://localhost:${http.port}`);
});
