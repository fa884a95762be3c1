import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { postgresLogin } from './postgres.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';
import { unprivilegedUser } from './user.ts';

export interface PgbouncerSettings {
  /** Of the PostgreSQL behind it, on 127.0.0.1. */
  upstreamPort: number;
  poolMode: 'session' | 'transaction' | 'statement';
  /** Further lines of its section `[pgbouncer]`. */
  settings?: readonly string[];
}

/** A PgBouncer before a private PostgreSQL; it asks nobody for a password. As root it runs as an ordinary user, because it refuses root. */
export async function startPgbouncer(
  options: ServerOptions & PgbouncerSettings & { binary: string },
): Promise<Server> {
  const { guard, folder, port, binary } = options;
  const user = await unprivilegedUser();
  await mkdir(folder, { recursive: true });
  if (user) await chown(folder, user.uid, user.gid);
  const configFile = join(folder, 'pgbouncer.ini');
  await writeFile(configFile, pgbouncerConfig(options, { address: '127.0.0.1', upstream: '127.0.0.1' }));
  return runServer({
    guard,
    name: 'PgBouncer',
    url: pgbouncerUrl(port),
    port,
    command: () => ({
      command: [binary, configFile],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'pgbouncer.log'),
      lastSignal: 'SIGKILL',
      user,
    }),
    check: () => answersPgbouncer(port),
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}

export const pgbouncerUrl = (port: number): string =>
  `postgres://${postgresLogin.user}@127.0.0.1:${port}/${postgresLogin.database}`;

/** Any database of the server behind it, as its superuser. */
export function pgbouncerConfig(
  { port, upstreamPort, poolMode, settings = [] }: PgbouncerSettings & { port: number },
  { address, upstream }: { address: string; upstream: string },
): string {
  const { user, password } = postgresLogin;
  return [
    '[databases]',
    `* = host=${upstream} port=${upstreamPort} user=${user} password=${password}`,
    '[pgbouncer]',
    `listen_addr = ${address}`,
    `listen_port = ${port}`,
    'auth_type = any',
    `pool_mode = ${poolMode}`,
    'unix_socket_dir =',
    ...settings,
    '',
  ].join('\n');
}

/** Asked for TLS, it has none. */
export const answersPgbouncer = (port: number): Promise<boolean> =>
  answers(port, new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]), 'N');
