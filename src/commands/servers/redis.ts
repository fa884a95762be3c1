import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { answers } from './ready.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

/** A Redis that keeps nothing on disk: what it holds here is made again from PostgreSQL. */
export async function startRedis(options: ServerOptions & { binary: string }): Promise<Server> {
  const { guard, folder, port, binary } = options;
  await mkdir(folder, { recursive: true });
  return runServer({
    guard,
    name: 'Redis',
    url: `redis://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [
        ...[binary, '--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
        ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
      ],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, 'redis.log'),
      lastSignal: 'SIGKILL',
    }),
    check: () => answers(port, 'PING\r\n', '+PONG'),
    stopSignal: 'SIGKILL',
    deadlineMs: 20_000,
  });
}
