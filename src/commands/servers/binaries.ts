import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PrometheusBinaries } from './prometheus.ts';
import type { RabbitBinaries } from './rabbitmq.ts';

export const serverNames = [
  'postgres',
  'redis',
  'rabbitmq',
  'nginx',
  'haproxy',
  'pgbouncer',
  'compose',
  'kubectl',
  'python',
  'chromium',
  'prometheus',
] as const;
export type ServerName = (typeof serverNames)[number];

export interface Binaries {
  /** The folder that has `initdb` and `postgres`. */
  postgres: string | undefined;
  redis: string | undefined;
  rabbitmq: RabbitBinaries | undefined;
  nginx: string | undefined;
  haproxy: string | undefined;
  pgbouncer: string | undefined;
  /** No server: reads and checks a compose file, for which it needs no engine. */
  compose: string[] | undefined;
  /** No server: renders what is for Kubernetes, for which it needs no cluster. */
  kubectl: string | undefined;
  /** No server: a Python that has a client of Socket.IO, for both transports. Looked for when it is asked for. */
  readonly python: string | undefined;
  /** No server: a browser. */
  chromium: string | undefined;
  prometheus: PrometheusBinaries | undefined;
}

/** Looks on the PATH and where Debian and Homebrew put what is not on it. On Windows servers run in containers alone. */
export function findBinaries(): Binaries {
  if (process.platform === 'win32')
    return {
      postgres: undefined,
      redis: undefined,
      rabbitmq: undefined,
      nginx: undefined,
      haproxy: undefined,
      pgbouncer: undefined,
      compose: composePlugin(),
      kubectl: undefined,
      python: findPython(),
      chromium: undefined,
      prometheus: undefined,
    };
  const homebrew = ['/opt/homebrew', '/usr/local'];
  const onPath = (name: string): string | undefined =>
    Bun.which(name, {
      PATH: [process.env.PATH, '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'].join(':'),
    }) ?? undefined;

  // PostgreSQL's newest version first.
  const postgresFolders = [
    ...subfolders('/usr/lib/postgresql').map((version) => join(version, 'bin')),
    ...homebrew.flatMap((base) =>
      subfolders(join(base, 'opt'))
        .filter((folder) => /\/postgresql(@\d+)?$/.test(folder))
        .map((folder) => join(folder, 'bin')),
    ),
  ];
  const initdb = onPath('initdb');
  if (initdb) postgresFolders.push(dirname(initdb));

  const rabbitFolders = [
    // Debian's own on the PATH is a wrapper that changes the user.
    '/usr/lib/rabbitmq/bin',
    ...homebrew.map((base) => join(base, 'opt/rabbitmq/sbin')),
    ...[onPath('rabbitmq-server')].flatMap((path) => (path ? [dirname(path)] : [])),
  ];
  const rabbit = rabbitFolders.find((folder) => existsSync(join(folder, 'rabbitmq-server')));
  const epmd = onPath('epmd') ?? findEpmd();
  const [prometheus, promtool] = [onPath('prometheus'), onPath('promtool')];

  return {
    postgres: postgresFolders.find((folder) => existsSync(join(folder, 'initdb'))),
    redis: onPath('redis-server'),
    rabbitmq:
      rabbit && epmd
        ? { server: join(rabbit, 'rabbitmq-server'), ctl: join(rabbit, 'rabbitmqctl'), epmd }
        : undefined,
    nginx: onPath('nginx'),
    haproxy: onPath('haproxy'),
    pgbouncer: onPath('pgbouncer'),
    compose: onPath('docker-compose') ? ['docker-compose'] : composePlugin(),
    kubectl: onPath('kubectl'),
    get python() {
      return findPython();
    },
    chromium: onPath('chromium') ?? chromesOfMac.find(existsSync),
    prometheus: prometheus && promtool ? { server: prometheus, promtool } : undefined,
  };
}

const chromesOfMac = ['Chromium', 'Google Chrome'].map(
  (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
);

/** One of the user's own may not see what Debian's packages bring. */
function findPython(): string | undefined {
  const candidates = [Bun.which('python3'), '/usr/bin/python3', Bun.which('python')];
  return candidates.find((path) => path !== null && existsSync(path) && hasSocketIo(path)) ?? undefined;
}

function hasSocketIo(python: string): boolean {
  const command = [python, '-c', 'import socketio, requests, websocket'];
  return Bun.spawnSync(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }).exitCode === 0;
}

/** Compose as a plugin of the `docker` command. */
function composePlugin(): string[] | undefined {
  const command = ['docker', 'compose'];
  if (!Bun.which('docker')) return undefined;
  const run = Bun.spawnSync([...command, 'version'], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
  return run.exitCode === 0 ? command : undefined;
}

function findEpmd(): string | undefined {
  return ['/usr/lib/erlang', '/opt/homebrew/opt/erlang/lib/erlang', '/usr/local/opt/erlang/lib/erlang']
    .flatMap((home) => [join(home, 'bin'), ...subfolders(home).map((folder) => join(folder, 'bin'))])
    .map((folder) => join(folder, 'epmd'))
    .find((path) => existsSync(path));
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(folder, name));
}
