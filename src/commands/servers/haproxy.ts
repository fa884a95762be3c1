import { runConfigured } from './configured.ts';
import { answersHttp } from './nginx.ts';
import type { Server, ServerOptions } from './server.ts';

/** @param options.config the whole configuration, with a frontend at `127.0.0.1:<port>` */
export const startHaproxy = (options: ServerOptions & { binary: string; config: string }): Promise<Server> =>
  runConfigured(options, {
    ...{ name: 'HAProxy', fileName: 'haproxy.cfg', config: options.config },
    command: (configFile) => ['-db', '-f', configFile],
    check: () => answersHttp(options.port),
  });
