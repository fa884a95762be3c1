/** `bun run api`: REST, on `PORT`. */
import { assembleApi } from './api/assemble.ts';
import { createAdapters } from './shared/adapters.ts';
import { listen } from './shared/http-server.ts';
import { runProcess } from './shared/run-process.ts';
import { assembleWorker } from './worker/assemble.ts';

await runProcess('api', { secret: 'required' }, async (parts) => {
  const { config, log, lifecycle } = parts;
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab-api', ...parts });
  const api = await assembleApi(parts, adapters);
  if (config.worker.enabled) await assembleWorker(parts, adapters);

  const http = listen(
    { port: config.port, log, fetch: (request, server) => api.fetch(request, { server }) },
    'PORT',
  );
  lifecycle.defer('the http server', http.stop);
  log.info(`listening on http://localhost:${http.port}`);
});
