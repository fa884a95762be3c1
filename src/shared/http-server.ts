import { answerable, unexpected } from './answerable.ts';
import type { Logger } from './log.ts';
import { StartError } from './start-error.ts';

/** How long requests in hand may take to finish once the server is told to stop. */
const drainMs = 5_000;

export interface ListenOptions<Data> {
  port: number;
  /** Is given no request whose URL cannot be parsed. */
  fetch(request: Request, server: Bun.Server<Data>): Response | Promise<Response>;
  websocket?: Bun.WebSocketHandler<Data>;
  idleTimeout?: number;
  /** For what nobody caught. */
  log?: Logger;
}

export interface HttpServer<Data> {
  readonly port: number;
  readonly server: Bun.Server<Data>;
  /** Takes no more connections, lets requests in hand finish, then cuts what is left. */
  stop(): Promise<void>;
}

/**
 * `Bun.serve` with the errors and the end that every process here needs.
 * @param variable the one that sets the port, for the message
 * @throws StartError when the port is taken or not allowed
 */
export function listen<Data = undefined>(
  options: ListenOptions<Data>,
  variable: 'PORT' | 'GATEWAY_PORT' | 'WORKER_PORT',
): HttpServer<Data> {
  const server = serve(options, variable);
  return {
    port: server.port ?? options.port,
    server,
    async stop() {
      const cut = setTimeout(() => server.stop(true), drainMs);
      await server.stop();
      clearTimeout(cut);
    },
  };
}

/**
 * Says so early, before seconds of work end at a port that is taken.
 * @throws StartError when it is
 */
export async function assertPortFree(port: number, variable: 'PORT'): Promise<void> {
  await listen({ port, fetch: () => new Response() }, variable).server.stop(true);
}

function serve<Data>({ log, ...options }: ListenOptions<Data>, variable: string): Bun.Server<Data> {
  try {
    return Bun.serve<Data>({
      ...options,
      fetch: answerable(options.fetch),
      development: false,
      error: (error) => unexpected(error, log),
    } as Bun.Serve.Options<Data>);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${options.port} is taken: stop what listens there, or set ${variable} to another port.`,
        { cause: error },
      );
    }
    if (code === 'EACCES') {
      throw new StartError(`Port ${options.port} is not allowed here: set ${variable} to one above 1023.`, {
        cause: error,
      });
    }
    throw error;
  }
}
