import { readFileSync } from 'node:fs';
import type { Environment } from '../shared/config/environment.ts';

const lookEveryMs = 500;

const throughNpm = (environment: Environment): boolean =>
  environment.npm_execpath?.endsWith('npm-cli.js') ?? false;

/** How this process's user runs Bun: what `bun` or `npx` said in the command that started it. */
export const runnerOf = (environment: Environment): string =>
  throughNpm(environment) ? `npx bun@${Bun.version}` : 'bun';

/**
 * Ends this process in good order when `bun run`, or the shell that `npx` puts before it, is gone. Signals to `bun run`
 * come through to its child, but a SIGKILL does not, and npx passes its signals to its shell alone: the port and the data
 * folder would stay taken by a process that nobody sees.
 */
export function endWithLauncher(environment: Environment): void {
  if (environment.npm_lifecycle_event === undefined || process.platform === 'win32') return;
  const parent = process.ppid;
  const shell = throughNpm(environment) ? parentOf(parent) : undefined;

  const look = setInterval(() => {
    if (process.ppid === parent && (shell === undefined || parentOf(parent) === shell)) return;
    clearInterval(look);
    process.kill(process.pid, 'SIGTERM');
  }, lookEveryMs);
  look.unref();
}

/** Undefined where the system does not say so in `/proc`. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
