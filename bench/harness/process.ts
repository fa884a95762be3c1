import { join } from 'node:path';
import { freePort } from '../../src/commands/servers/ports.ts';
import { untilReady } from '../../src/commands/servers/ready.ts';
import type { Bench } from './bench.ts';
import { bunCommand } from './child.ts';
import type { Environment } from './servers.ts';
import { cpuMicroseconds, residentBytes } from './usage.ts';

/** One of Confab's own three processes, as `bun run` would start it. */
export interface ConfabProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the process says so of itself. */
  ready(): Promise<void>;
  cpuMicroseconds(): number;
  residentBytes(): number;
  stop(): Promise<void>;
}

const portVariable = { api: 'PORT', worker: 'WORKER_PORT', gateway: 'GATEWAY_PORT' } as const;

/** Resolves when the process says that it is ready. */
export async function startConfab(...given: Parameters<typeof spawnConfab>): Promise<ConfabProcess> {
  const started = await spawnConfab(...given);
  await started.ready();
  return started;
}

/** Resolves when the process has begun to start. */
export async function spawnConfab(
  { servers, defer }: Pick<Bench, 'servers' | 'defer'>,
  name: keyof typeof portVariable,
  environment: Environment,
  own: Record<string, string> = {},
): Promise<ConfabProcess> {
  const port = await freePort();
  const folder = await servers.folder();
  const logFile = join(folder, `${name}-${port}.log`);
  const run = servers.guard.spawn({
    command: [...bunCommand(), join(import.meta.dir, '../../src', `${name}.ts`)],
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      ...environment,
      CHAT_WORKER_ENABLED: String(name === 'worker'),
      [portVariable[name]]: String(port),
      ...own,
    },
    logFile,
    lastSignal: 'SIGKILL',
  });
  run.unref();
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= run.end('SIGTERM');
    return stopped;
  };
  defer(stop);
  return {
    pid: run.pid,
    port,
    ready: () =>
      untilReady({
        what: name,
        process: run,
        logFile,
        deadlineMs: 30_000,
        check: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
      }),
    cpuMicroseconds: () => cpuMicroseconds(run.pid),
    residentBytes: () => residentBytes(run.pid),
    stop,
  };
}
