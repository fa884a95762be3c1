import { existsSync } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { serverEnvironment } from './environment.ts';
import type { Guard } from './guard.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';
import { unprivilegedUser } from './user.ts';

/** User, password and database of every private PostgreSQL. */
export const postgresLogin = { user: 'postgres', password: 'postgres', database: 'chat' };

// Nobody's data: skip what only protects against a loss of power. (synchronous_commit stays: without it a killed
// server forgets what it has answered for.)
const throwaway = ['fsync=off', 'full_page_writes=off', 'max_wal_size=256MB'];

/**
 * A quarter of the memory, as PostgreSQL's manual has it, but no more than a gigabyte: it is taken as it is used. With 64 MB,
 * which will do for tests, a batch in a million chats waits for their pages.
 */
const buffersMb = (durable: boolean) => (durable ? Math.min(1024, Math.floor(totalmem() / 4 / 2 ** 20)) : 64);

/** A PostgreSQL with the database `chat`. As root it runs as an ordinary user, because it refuses root. */
export async function startPostgres(options: ServerOptions & { binaries: string }): Promise<Server> {
  const { guard, folder, port, binaries, durable } = options;
  const data = join(folder, 'data');
  const user = await unprivilegedUser();
  await mkdir(folder, { recursive: true });
  if (user) await chown(folder, user.uid, user.gid);
  const env = serverEnvironment({ LC_ALL: 'C' });
  // A completed start is marked: a folder left by an `initdb` cut short is made anew.
  const mark = join(folder, 'initialised');
  if (!existsSync(mark)) {
    await rm(data, { recursive: true, force: true });
    await initialise({ guard, folder, data, initdb: join(binaries, 'initdb'), env, user });
    await writeFile(mark, '');
  }
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    // A socket's path may have some 100 bytes; the folder's may be longer.
    `unix_socket_directories=${folder.length < 80 ? folder : ''}`,
    'max_connections=300',
    `shared_buffers=${buffersMb(durable)}MB`,
    ...(durable ? [] : throwaway),
  ];
  const url = `postgres://${postgresLogin.user}:${postgresLogin.password}@127.0.0.1:${port}/${postgresLogin.database}`;
  return runServer({
    guard,
    name: 'PostgreSQL',
    url,
    port,
    command: () => ({
      command: [join(binaries, 'postgres'), '-D', data, ...settings.flatMap((each) => ['-c', each])],
      cwd: folder,
      env,
      logFile: join(folder, 'postgres.log'),
      // At once, but so that it takes its children and its shared memory with it.
      lastSignal: 'SIGQUIT',
      user,
    }),
    check: () => hasDatabase(port),
    stopSignal: durable ? 'SIGINT' : 'SIGQUIT',
    deadlineMs: 30_000,
  });
}

async function initialise(options: {
  guard: Guard;
  folder: string;
  data: string;
  initdb: string;
  env: Record<string, string | undefined>;
  user: { uid: number; gid: number } | undefined;
}): Promise<void> {
  const { guard, folder, data, initdb, env, user } = options;
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, postgresLogin.password, { mode: 0o600 });
  if (user) await chown(passwordFile, user.uid, user.gid);
  const logFile = join(folder, 'initdb.log');
  const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
  const run = guard.spawn({
    command: [
      ...[initdb, '-D', data, '-U', postgresLogin.user, '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
      ...['--encoding=UTF8', `--locale=${locale}`, '--no-sync', '--no-instructions'],
    ],
    cwd: folder,
    env,
    logFile,
    lastSignal: 'SIGKILL',
    user,
  });
  const code = await run.exited;
  await rm(passwordFile, { force: true });
  if (code !== 0) throw new Error(`initdb ended with code ${code}:\n${await Bun.file(logFile).text()}`);
}

/** Whether the server takes commands; makes the database when it is not there yet. */
export async function hasDatabase(port: number): Promise<boolean> {
  const { user: username, password, database } = postgresLogin;
  const sql = postgres({
    host: '127.0.0.1',
    port,
    username,
    password,
    database: 'postgres',
    max: 1,
    connect_timeout: 2,
    onnotice: () => {},
  });
  try {
    const found = await sql`select 1 from pg_database where datname = ${database}`;
    if (found.length === 0) await sql`create database ${sql(database)}`;
    return true;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
