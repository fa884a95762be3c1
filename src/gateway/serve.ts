import { endUnnoticed, type HttpServer, listen } from '../process/http-server.ts';
import type { Lifecycle } from '../process/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import type { Gateway } from './server.ts';

/**
 * Serves the gateway, alone or with others beside it, on one port, and registers its end: the sockets are closed first, for
 * a server does not end while one is open.
 */
export function serveGateway(options: {
  gateway: Gateway;
  /** Answers what is not the gateway's. */
  others(request: Request, server: Bun.Server<unknown>): Response | Promise<Response>;
  host: string;
  port: number;
  variable: 'PORT' | 'GATEWAY_PORT';
  lifecycle: Lifecycle;
  log: Logger;
  /** How long others may take to notice that this process is leaving. */
  shutdownDelayMs: number;
  /** Over how long the sockets are closed. */
  drainMs?: number;
}): HttpServer {
  const { gateway, others, host, port, variable, lifecycle, log, shutdownDelayMs, drainMs } = options;
  const http = listen<never>(
    {
      host,
      port,
      log,
      fetch: (request, server) =>
        gateway.handles(request.url) ? gateway.fetch(request, server) : others(request, server),
      websocket: gateway.websocket as Bun.WebSocketHandler<never>,
      idleTimeout: gateway.idleTimeout,
    },
    variable,
  );
  const drain = { name: 'the gateway', undo: () => gateway.drain(drainMs) };
  endUnnoticed(lifecycle, http, shutdownDelayMs, drain);
  return http;
}
