import { join } from 'node:path';
import { runConfigured } from './configured.ts';
import { answers } from './ready.ts';
import type { Server, ServerOptions } from './server.ts';

export interface PrometheusBinaries {
  server: string;
  promtool: string;
}

/** @param options.config what its configuration file says; paths in it are absolute */
export function startPrometheus(
  options: ServerOptions & { binary: string; config: object },
): Promise<Server> {
  const { folder, port, config } = options;
  return runConfigured(options, {
    // YAML is a superset of JSON.
    ...{ name: 'Prometheus', fileName: 'prometheus.yml', config: JSON.stringify(config) },
    command: (configFile) => [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    check: () => answers(port, 'GET /-/ready HTTP/1.0\r\n\r\n', 'HTTP/1.0 200'),
  });
}
