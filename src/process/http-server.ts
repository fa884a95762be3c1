import type { Logger } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import type { Lifecycle } from './lifecycle.ts';
import { unexpectedError } from './unexpected-error.ts';

/** How long requests in hand may take to finish once the server is told to stop. */
const drainMs = 5_000;
/**
 * Seconds. Proxies keep a connection for 60 s (Kong, nginx, AWS' balancers): whoever closes first must not be the one that
 * the next request is being written to.
 */
const keepAliveSeconds = 75;

export interface ListenOptions<Data> {
  port: number;
  /** `localhost`: both loopback addresses. `::`: all addresses, of IPv4 too. */
  host: string;
  fetch(request: Request, server: Bun.Server<Data>): Response | Promise<Response>;
  websocket?: Bun.WebSocketHandler<Data>;
  /** Seconds, of a request that waits for its answer, too. Never less than 75. */
  idleTimeout?: number;
  /** For what nobody caught. */
  log?: Logger;
}

export interface HttpServer {
  readonly port: number;
  /** Where programs on this machine find it. */
  readonly url: string;
  /** For people: where it is, and who can reach it. */
  readonly place: string;
  /** From here on each answer is the last one of its connection, so that none is in use when the server stops. */
  leave(): void;
  /** Takes no more connections, lets requests in hand finish, then cuts what is left. */
  stop(): Promise<void>;
}

/**
 * `Bun.serve` with the errors and the end that every process here needs.
 * @param variable the one that sets the port, for the message
 * @throws StartError when the port is taken or not allowed, or the host is not this machine
 */
export function listen<Data = undefined>(
  options: ListenOptions<Data>,
  variable: 'PORT' | 'GATEWAY_PORT' | 'WORKER_PORT',
): HttpServer {
  const { host, fetch, log } = options;
  let leaving = false;
  const answered = (request: Request, server: Bun.Server<Data>) =>
    leaving ? lastOfConnection(fetch(request, server)) : fetch(request, server);
  const servers = serve({ ...options, fetch: answered }, variable);
  const port = servers[0]?.port ?? options.port;

  return {
    port,
    url: urlOf(host, port),
    place: placeOf(host, port),
    leave() {
      leaving = true;
    },
    async stop() {
      const requests = servers.reduce((sum, { pendingRequests }) => sum + pendingRequests, 0);
      if (requests > 0) log?.info(`draining ${requests} requests`);
      const cut = setTimeout(() => {
        for (const server of servers) server.stop(true);
      }, drainMs);
      await Promise.all(servers.map((server) => server.stop()));
      clearTimeout(cut);
    },
  };
}

/**
 * Registers the end of a server that a balancer leads to: `/readyz` says 503 from the signal on, `delayMs` later, when that
 * has been seen, it stops listening. A request that is led here until then is answered.
 * @param end what comes between the two
 */
export function endUnnoticed(
  lifecycle: Lifecycle,
  http: HttpServer,
  delayMs: number,
  end?: { name: string; undo: () => Promise<void> },
): void {
  lifecycle.defer('the http server', http.stop);
  if (end) lifecycle.defer(end.name, end.undo);
  lifecycle.defer('the way here', async () => {
    http.leave();
    if (lifecycle.leaving()) await Bun.sleep(delayMs);
  });
}

/**
 * Says so early, before seconds of work end at a port that is taken.
 * @throws StartError when it is
 */
export async function assertPortFree(at: { port: number; host: string }, variable: 'PORT'): Promise<void> {
  await listen({ ...at, fetch: () => new Response() }, variable).stop();
}

async function lastOfConnection(answering: Response | Promise<Response>): Promise<Response> {
  const answer = await answering;
  answer.headers.set('Connection', 'close');
  return answer;
}

function serve<Data>(options: ListenOptions<Data>, variable: string): Bun.Server<Data>[] {
  if (options.host !== 'localhost') return [serveAt(options, options.host, options.port, variable)];
  // Bun takes one address of a name, and clients either: some of them never try the other.
  const servers: Bun.Server<Data>[] = [];
  let refused: unknown;
  for (const host of ['127.0.0.1', '::1']) {
    try {
      servers.push(serveAt(options, host, servers[0]?.port ?? options.port, variable));
    } catch (error) {
      refused = error;
      if (error instanceof StartError && isTaken(error.cause)) {
        for (const server of servers) server.stop(true);
        throw error;
      }
    }
  }
  // A machine may have one of the two families alone.
  if (servers.length === 0) throw refused;
  return servers;
}

function serveAt<Data>(
  { fetch, websocket, idleTimeout = 0, log }: ListenOptions<Data>,
  host: string,
  port: number,
  variable: string,
): Bun.Server<Data> {
  try {
    return Bun.serve<Data>({
      fetch,
      // Bun's own answer to an error shows the source. With this it lets others have the same port, if not told otherwise.
      development: false,
      reusePort: false,
      error: (error) => unexpectedError(error, log),
      port,
      // Without a name Bun takes all addresses of both families, or of the one that the machine has.
      ...(host === '::' ? {} : { hostname: host }),
      ...(websocket ? { websocket } : {}),
      idleTimeout: Math.max(keepAliveSeconds, idleTimeout),
    } as Bun.Serve.Options<Data>);
  } catch (error) {
    throw refusal(error, { host, port, variable }) ?? error;
  }
}

function refusal(
  cause: unknown,
  { host, port, variable }: { host: string; port: number; variable: string },
): StartError | undefined {
  const code = codeOf(cause);
  if (code === undefined) return undefined;
  const message =
    {
      EADDRINUSE: `Port ${port} is taken: stop what listens there, or set ${variable} to another port.`,
      EACCES: `Port ${port} is not allowed here: set ${variable} to one above 1023.`,
    }[code] ??
    // Of a name that nobody knows Bun says EAGAIN, EINVAL or ENOTFOUND, of an address of others EADDRNOTAVAIL.
    `${host} is no address of this machine (${code}): set HOST to one of its own, to localhost, or to :: for all.`;
  return new StartError(message, { cause });
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
const isTaken = (error: unknown): boolean => codeOf(error) === 'EADDRINUSE';

const everywhere: ReadonlySet<string> = new Set(['::', '0.0.0.0']);

function urlOf(host: string, port: number): string {
  const name = everywhere.has(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

function placeOf(host: string, port: number): string {
  const url = urlOf(host, port);
  if (host === 'localhost') return `${url}, for this machine alone (HOST)`;
  return everywhere.has(host) ? `${url} and every address of this machine` : url;
}
