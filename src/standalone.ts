/** `bun run dev`, `bun run start`: api, worker and gateway in one process on one port, with nothing installed. */

import { createAdapters } from './adapters/adapters.ts';
import { assembleApi } from './api/assemble.ts';
import { assembleGateway } from './gateway/assemble.ts';
import { serveGateway } from './gateway/serve.ts';
import { serveBackups } from './process/backup-control.ts';
import { openDataFolder } from './process/data-folder.ts';
import { pageOfSingle } from './process/http/metrics-route.ts';
import { assertPortFree } from './process/http-server.ts';
import { endWithLauncher, runnerOf } from './process/launcher.ts';
import { runProcess } from './process/run-process.ts';
import { welcome } from './process/welcome.ts';
import { isOutside } from './shared/config.ts';
import { assembleWorker } from './worker/assemble.ts';

await runProcess('confab', { secret: 'kept', servers: [], graceMs: 5_000 }, async (parts) => {
  const { config, log, lifecycle } = parts;
  endWithLauncher(process.env);
  const folder = await openDataFolder(config.dataDir);
  lifecycle.defer('the data folder', folder.close);
  const { host, port } = config;
  await assertPortFree({ host, port }, 'PORT');
  const adapters = await createAdapters({ kind: 'embedded', folder }, { name: 'confab', ...parts });

  await assembleWorker(parts, adapters);
  const webClient = config.webClient ?? (config.environment !== 'production' && !isOutside(config.auth));
  const api = await assembleApi(parts, adapters, { webClient, page: pageOfSingle(parts.metrics, config) });
  const http = serveGateway({
    gateway: await assembleGateway(parts, adapters),
    others: api.fetch,
    host,
    port,
    variable: 'PORT',
    lifecycle,
    log,
    // There is no other process to lead anybody to.
    shutdownDelayMs: 0,
    drainMs: 200,
  });
  folder.limitWaits();
  const backups = await serveBackups(config.dataDir, folder);
  lifecycle.defer('what makes backups', backups.close);
  console.log(welcome({ url: http.url, webClient, folder: config.dataDir, runner: runnerOf(process.env) }));
});
