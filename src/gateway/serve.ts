import { listen } from '../shared/http-server.ts';
import type { Lifecycle } from '../shared/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import type { Gateway } from './server.ts';

/**
 * Serves the gateway, alone or with others beside it, on one port, and registers its end: the sockets are closed first, for
 * a server does not end while one is open.
 * @returns the port
 */
export function serveGateway(options: {
  gateway: Gateway;
  /** Answers what is not the gateway's. */
  others(request: Request, server: Bun.Server<unknown>): Response | Promise<Response>;
  port: number;
  variable: 'PORT' | 'GATEWAY_PORT';
  lifecycle: Lifecycle;
  log: Logger;
  /** Over how long the sockets are closed. */
  drainMs?: number;
}): number {
  const { gateway, others, port, variable, lifecycle, log, drainMs } = options;
  const http = listen<never>(
    {
      port,
      log,
      fetch: (request, server) =>
        gateway.handles(request.url) ? gateway.fetch(request, server) : others(request, server),
      websocket: gateway.websocket as Bun.WebSocketHandler<never>,
      idleTimeout: gateway.idleTimeout,
    },
    variable,
  );
  lifecycle.defer('the http server', http.stop);
  lifecycle.defer('the gateway', () => gateway.drain(drainMs));
  return http.port;
}
