/** `bun run gateway`: the sockets, on `GATEWAY_PORT`. */

import { createHealthApp } from './api/health-app.ts';
import { readinessOf } from './api/readiness.ts';
import { assembleGateway } from './gateway/assemble.ts';
import { serveGateway } from './gateway/serve.ts';
import { createAdapters } from './shared/adapters.ts';
import { runProcess } from './shared/run-process.ts';

await runProcess('gateway', { secret: 'required' }, async (parts) => {
  const { config, log, lifecycle } = parts;
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab-gateway', ...parts });
  const gateway = await assembleGateway(parts, adapters);

  const database = await adapters.database();
  const readiness = readinessOf({ database, hints: adapters.hintsReady, gateway: gateway.ready });
  const health = createHealthApp(readiness, log);
  const port = serveGateway({
    gateway,
    others: (request) => health.fetch(request),
    port: config.gatewayPort,
    variable: 'GATEWAY_PORT',
    lifecycle,
    log,
  });
  log.info(`listening on http://localhost:${port}/chat`);
});
