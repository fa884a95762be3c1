import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

/**
 * An nginx with `http`, the text of its `http { … }` block. The text must have a server that listens on
 * `127.0.0.1:<port>`.
 */
export async function startNginx(options: ServerOptions & { binary: string; http: string }): Promise<Server> {
  const { guard, folder, port, binary, http } = options;
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'nginx.conf');
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    configFile,
    [
      ...(process.getuid?.() === 0 ? ['user root;'] : []),
      'daemon off;',
      `pid ${join(folder, 'nginx.pid')};`,
      'worker_processes 1;',
      'error_log stderr;',
      'events { worker_connections 1024; }',
      'http {',
      `access_log ${join(folder, 'access.log')};`,
      ...scratch.map((name) => `${name}_temp_path ${join(folder, name)};`),
      http,
      '}',
      '',
    ].join('\n'),
  );
  return runServer({
    guard,
    name: 'nginx',
    url: `http://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [binary, '-p', folder, '-c', configFile, '-e', 'stderr'],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'nginx.log'),
      lastSignal: 'SIGKILL',
    }),
    check: () => answers(port, 'GET / HTTP/1.0\r\n\r\n', 'HTTP/1.'),
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}
