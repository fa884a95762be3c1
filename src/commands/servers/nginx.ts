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
  await writeFile(configFile, nginxConfig(http, folder));
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
    check: () => answersHttp(port),
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}

/** The whole configuration around an `http` block; nginx writes into `scratch` alone. */
export function nginxConfig(http: string, scratch: string): string {
  const uploads = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    // Started as root its workers would change to a user who may not enter the folder.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    `pid ${scratch}/nginx.pid;`,
    'worker_processes 1;',
    'error_log stderr;',
    'events { worker_connections 1024; }',
    'http {',
    `access_log ${scratch}/access.log;`,
    ...uploads.map((name) => `${name}_temp_path ${scratch}/${name};`),
    http,
    '}',
    '',
  ].join('\n');
}

export function answersHttp(port: number): Promise<boolean> {
  return answers(port, 'GET / HTTP/1.0\r\n\r\n', 'HTTP/1.');
}
