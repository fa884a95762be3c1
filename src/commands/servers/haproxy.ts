import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { answersHttp } from './nginx.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

/** @param options.config the whole configuration, with a frontend at `127.0.0.1:<port>` */
export async function startHaproxy(
  options: ServerOptions & { binary: string; config: string },
): Promise<Server> {
  const { guard, folder, port, binary, config } = options;
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'haproxy.cfg');
  await writeFile(configFile, config);
  return runServer({
    guard,
    name: 'HAProxy',
    url: `http://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [binary, '-db', '-f', configFile],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'haproxy.log'),
      lastSignal: 'SIGKILL',
    }),
    check: () => answersHttp(port),
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}
