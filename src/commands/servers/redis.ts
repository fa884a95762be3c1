import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { freePort } from './ports.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

/** What the same program can be: a server, a node of a cluster that has no other, a Sentinel that watches nobody. */
export type RedisKind = 'server' | 'cluster' | 'sentinel';

const ping = 'PING\r\n';
const keepsNothing = ['--save', '', '--appendonly', 'no'];
/** What makes it one. */
export const redisArguments: Readonly<Record<RedisKind, readonly string[]>> = {
  server: keepsNothing,
  cluster: [...keepsNothing, '--cluster-enabled', 'yes'],
  sentinel: ['--sentinel'],
};

/** A Redis that keeps nothing on disk: what it holds here is made again from PostgreSQL. */
export async function startRedis(
  options: ServerOptions & { binary: string; kind: RedisKind },
): Promise<Server> {
  const { guard, folder, port, binary, kind } = options;
  await mkdir(folder, { recursive: true });
  const configuration = join(folder, 'redis.conf');
  // By default 10,000 above its port, where systems put outgoing connections.
  const bus = kind === 'cluster' ? ['--cluster-port', String(await freePort())] : [];
  // A Sentinel writes it.
  await writeFile(configuration, '');
  return runServer({
    guard,
    name: 'Redis',
    url: `redis://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [
        ...[binary, configuration, '--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
        ...['--daemonize', 'no', ...redisArguments[kind], ...bus],
      ],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'redis.log'),
      lastSignal: 'SIGKILL',
    }),
    // One that was given a password, and is restarted, has it still.
    check: async () => (await answers(port, ping, '+PONG')) || (await answers(port, ping, '-NOAUTH')),
    stopSignal: 'SIGKILL',
    deadlineMs: 20_000,
  });
}
