import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './environment.ts';
import { runServer, type Server, type ServerOptions } from './server.ts';

/** An HTTP server that is one process and reads one file, which is written into its folder. */
export async function runConfigured(
  { guard, folder, port, binary }: ServerOptions & { binary: string },
  server: {
    name: string;
    fileName: string;
    config: string;
    /** What follows the program. */
    command: (configFile: string) => readonly string[];
    check: () => Promise<boolean>;
  },
): Promise<Server> {
  const { name, fileName, config, command, check } = server;
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, fileName);
  await writeFile(configFile, config);
  return runServer({
    guard,
    name,
    url: `http://127.0.0.1:${port}`,
    port,
    command: () => ({
      command: [binary, ...command(configFile)],
      cwd: folder,
      env: serverEnvironment(),
      logFile: join(folder, `${name.toLowerCase()}.log`),
      lastSignal: 'SIGKILL',
    }),
    check,
    stopSignal: 'SIGTERM',
    deadlineMs: 20_000,
  });
}
