import { runConfigured } from './configured.ts';
import { answers } from './ready.ts';
import type { Server, ServerOptions } from './server.ts';

/**
 * An nginx with `http`, the text of its `http { … }` block. The text must have a server that listens on
 * `127.0.0.1:<port>`.
 */
export function startNginx(options: ServerOptions & { binary: string; http: string }): Promise<Server> {
  const { folder, port, http } = options;
  return runConfigured(options, {
    ...{ name: 'nginx', fileName: 'nginx.conf', config: nginxConfig(http, folder) },
    command: (configFile) => ['-p', folder, '-c', configFile, '-e', 'stderr'],
    check: () => answersHttp(port),
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
