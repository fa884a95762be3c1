import { existsSync } from 'node:fs';
import { appendFile, chown, mkdir, rm, writeFile } from 'node:fs/promises';
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

/** A copy of another server, which it follows. */
export interface Standby {
  /** The other's, on 127.0.0.1. */
  primaryPort: number;
  /** By which the other knows it (`application_name`). */
  name: string;
}

/** A PostgreSQL with the database `chat`. As root it runs as an ordinary user, because it refuses root. */
export async function startPostgres(
  options: ServerOptions & { binaries: string; standby?: Standby | undefined },
): Promise<Server> {
  const { guard, folder, port, binaries, durable, standby } = options;
  const data = join(folder, 'data');
  const user = await unprivilegedUser();
  await mkdir(folder, { recursive: true });
  if (user) await chown(folder, user.uid, user.gid);
  const env = serverEnvironment({ LC_ALL: 'C' });
  // A completed start is marked: a folder left by an `initdb` cut short is made anew.
  const mark = join(folder, 'initialised');
  if (!existsSync(mark)) {
    await rm(data, { recursive: true, force: true });
    const making = { guard, folder, data, binaries, env, user };
    await (standby ? copy(making, standby) : initialise(making));
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
    // After a loss it asks its primary again, by default only after 5 s.
    ...(standby ? ['wal_retrieve_retry_interval=500ms'] : []),
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

interface Making {
  guard: Guard;
  folder: string;
  data: string;
  binaries: string;
  env: Record<string, string | undefined>;
  user: { uid: number; gid: number } | undefined;
}

async function initialise(making: Making): Promise<void> {
  const { folder, data, binaries, user } = making;
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, postgresLogin.password, { mode: 0o600 });
  if (user) await chown(passwordFile, user.uid, user.gid);
  const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
  await run(making, 'initdb', [
    ...[join(binaries, 'initdb'), '-D', data, '-U', postgresLogin.user, '--auth=scram-sha-256'],
    ...[
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      `--locale=${locale}`,
      '--no-sync',
      '--no-instructions',
    ],
  ]);
  await rm(passwordFile, { force: true });
}

/** It commits by itself until it is told otherwise, whatever the other waits for. */
async function copy(making: Making, { primaryPort, name }: Standby): Promise<void> {
  const { data, binaries } = making;
  const { user, password } = postgresLogin;
  const primary = `postgres://${user}:${password}@127.0.0.1:${primaryPort}/?application_name=${name}`;
  await run(making, 'pg_basebackup', [
    ...[join(binaries, 'pg_basebackup'), '-D', data, '-d', primary, '--write-recovery-conf'],
    ...['--wal-method=stream', '--checkpoint=fast', '--no-sync'],
  ]);
  await appendFile(join(data, 'postgresql.auto.conf'), "synchronous_standby_names = ''\n");
}

async function run({ guard, folder, env, user }: Making, name: string, command: string[]): Promise<void> {
  const logFile = join(folder, `${name}.log`);
  const code = await guard.spawn({ command, cwd: folder, env, logFile, lastSignal: 'SIGKILL', user }).exited;
  if (code !== 0) throw new Error(`${name} ended with code ${code}:\n${await Bun.file(logFile).text()}`);
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
