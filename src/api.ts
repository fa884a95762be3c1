/** `bun run api`: REST, on `PORT`. */

import { createAdapters } from './adapters/adapters.ts';
import { assembleApi } from './api/assemble.ts';
import { endUnnoticed, listen } from './process/http-server.ts';
import { runProcess } from './process/run-process.ts';
import { assembleWorker } from './worker/assemble.ts';

const servers = ['postgres', 'redis', 'rabbitmq'] as const;

await runProcess('api', { secret: 'required', servers }, async (parts) => {
  const { config, log, lifecycle } = parts;
  // Not `confab-api`: by that workers know those who do not sign (`worker/unsigned.ts`).
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab api', ...parts });
  const api = await assembleApi(parts, adapters);
  if (config.worker.enabled) await assembleWorker(parts, adapters);

  const { host, port } = config;
  const http = listen({ host, port, log, fetch: api.fetch }, 'PORT');
  endUnnoticed(lifecycle, http, config.shutdownDelayMs);
  log.info(`listening on ${http.place}`);
});
