/** `bun run gateway`: the sockets, on `GATEWAY_PORT`. */

import { createAdapters } from './adapters/adapters.ts';
import { assembleGateway } from './gateway/assemble.ts';
import { serveGateway } from './gateway/serve.ts';
import { createHealthApp } from './process/http/health.ts';
import { pageOfSeveral } from './process/http/metrics-route.ts';
import { readinessOf } from './process/readiness.ts';
import { runProcess } from './process/run-process.ts';

await runProcess('gateway', { secret: 'required', servers: ['postgres', 'redis'] }, async (parts) => {
  const { config, log, lifecycle, metrics } = parts;
  const adapters = await createAdapters({ kind: 'servers' }, { name: 'confab gateway', ...parts });
  const gateway = await assembleGateway(parts, adapters);

  const database = await adapters.database();
  const { hintsReady: hints, peersAgree: peers } = adapters;
  const { leaving } = lifecycle;
  const health = createHealthApp(
    readinessOf({ database, hints, peers, gateway: gateway.ready, leaving }),
    log,
    pageOfSeveral(metrics, config),
  );
  const { place } = serveGateway({
    gateway,
    others: health.fetch,
    host: config.host,
    port: config.gatewayPort,
    variable: 'GATEWAY_PORT',
    lifecycle,
    log,
    shutdownDelayMs: config.shutdownDelayMs,
  });
  log.info(`listening on ${place}`);
});
