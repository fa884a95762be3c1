import { join } from 'node:path';
import { createOwnProcess, portVariable, type Role } from '../../harness/process.ts';
import { cpuMicroseconds } from '../../harness/usage.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import type { Bench } from './bench.ts';
import { bunCommand, childFile } from './child.ts';
import type { Environment } from './servers.ts';

/** One of Confab's own three processes, as `bun run` would start it. */
export interface ConfabProcess {
  readonly port: number;
  cpuMicroseconds(): number;
  stop(): Promise<unknown>;
}

/** Resolves when the process says that it is ready. */
export async function startConfab(...given: Parameters<typeof spawnConfab>): Promise<ConfabProcess> {
  const { own, ...started } = await spawnConfab(...given);
  if (!(await own.start(30_000))) {
    throw new Error(`${own.name} did not become ready: ${own.unwantedExits().map(({ log }) => log)}`);
  }
  return started;
}

/** Resolves when the process has begun to start. @param preload one of `bench/children`, which changes what the process loads */
export async function spawnConfab(
  { servers, defer }: Pick<Bench, 'servers' | 'defer'>,
  role: Role,
  environment: Environment,
  ownEnvironment: Record<string, string> = {},
  preload?: string,
) {
  const port = await freePort();
  const { folder, guard } = servers;
  const preloaded = preload === undefined ? [] : ['--preload', childFile(preload)];
  const own = createOwnProcess({
    guard,
    name: `${role} ${port}`,
    port,
    command: [...bunCommand(), ...preloaded, join(import.meta.dir, '../../src', `${role}.ts`)],
    cwd: folder,
    folder,
    env: {
      ...environment,
      CHAT_WORKER_ENABLED: String(role === 'worker'),
      [portVariable[role]]: String(port),
      ...ownEnvironment,
    },
    pollMs: 25,
    probe: '/readyz',
    restarts: false,
  });
  own.spawn();
  const stop = () => own.stop(10_000);
  defer(stop);
  return { own, port, stop, cpuMicroseconds: () => cpuMicroseconds(own.pid() ?? 0) };
}
