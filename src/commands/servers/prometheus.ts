import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

export interface PrometheusBinaries {
  server: string;
  promtool: string;
}

/** @param options.config what its configuration file says; paths in it are absolute */
export async function startPrometheus(
  options: ServerOptions & { binary: string; config: object },
): Promise<Server> {
  const { guard, folder, port, binary, config } = options;
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'prometheus.yml');
  // YAML is a superset of JSON.
  await writeFile(configFile, JSON.stringify(config));
  return runServer({
    guard,
    name: 'Prometheus',
    url: `http://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [
        binary,
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'prometheus.log'),
      lastSignal: 'SIGKILL',
    }),
    check: () => answers(port, 'GET /-/ready HTTP/1.0\r\n\r\n', 'HTTP/1.0 200'),
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}
