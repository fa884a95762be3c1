import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, finished } from '../src/commands/servers/finished.ts';
import type { Guard, GuardedProcess } from '../src/commands/servers/guard.ts';

export type Role = 'api' | 'worker' | 'gateway';

/** What says where each of them listens. */
export const portVariable: Record<Role, string> = {
  api: 'PORT',
  worker: 'WORKER_PORT',
  gateway: 'GATEWAY_PORT',
};

const inherited = [
  ...['PATH', 'HOME', 'TMPDIR', 'LANG', 'BUN_INSTALL'],
  ...['TEMP', 'TMP', 'SystemRoot', 'USERPROFILE'],
];

/** What a program needs of this one's environment; nothing of a developer's settings. */
export function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    inherited.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Runs a file of ours to its end. */
export async function finish(
  command: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<Finished> {
  const run = Bun.spawn([process.execPath, '--no-env-file', ...command], {
    cwd,
    env: { ...inheritedEnvironment(), ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  return finished(run);
}

/** Whether it says that it is well. */
export async function answers(url: string, withinMs = 1_000): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(withinMs), keepalive: false });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** A process of Confab. */
export interface OwnProcess {
  readonly name: string;
  /** Where it listens. */
  readonly port: number;
  /** Undefined while it is down. */
  pid(): number | undefined;
  /** Starts it where it is down. */
  spawn(): void;
  /**
   * Starts it where it is down, and waits until it answers; false when it has not within the deadline, for which does not count
   * what it waited for a processor: a first start in one process needs 5 s of one, and on a machine that is busy with more
   * urgent things got so much in no minute.
   */
  start(deadlineMs?: number): Promise<boolean>;
  /** SIGKILL; stays down until `start`. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** SIGTERM; false when it had to be killed after the deadline. */
  stop(deadlineMs: number): Promise<boolean>;
  /** How often it ended though nobody wanted it to. */
  unwantedExits(): readonly UnwantedExit[];
  /** What it printed, a file for each start. */
  logFiles(): readonly string[];
}

export interface UnwantedExit {
  name: string;
  at: number;
  code: number;
  /** The end of what it printed. */
  log: string;
}

/**
 * Any end but a refusal to start because a server is away: exit code 1, one line of text that says so, and no line at
 * `fatal`, which older versions call 60. So a signal, a runtime that aborts and an end without a word are crashes.
 */
export function isCrash({ code, log }: UnwantedExit): boolean {
  const refused = code === 1 && /^[^{].* does not start: /m.test(log);
  return !refused || /^\{"level":(?:"fatal"|60),/m.test(log);
}

export interface OwnProcessOptions {
  guard: Guard;
  name: string;
  port: number;
  command: string[];
  cwd: string;
  /** Added to {@link inheritedEnvironment}. */
  env: Record<string, string>;
  /** For what it prints: one file a start. */
  folder: string;
  /** How often it is asked whether it is up. */
  pollMs?: number;
  /** Where it is asked. */
  probe?: '/healthz' | '/readyz';
  /** Whether it is started again when it ends by itself, as by any supervisor. */
  restarts?: boolean;
}

const restartPauseMs = 500;

export function createOwnProcess(options: OwnProcessOptions): OwnProcess {
  const { guard, name, port, folder, pollMs = 100, probe = '/healthz', restarts = true } = options;
  const exits: UnwantedExit[] = [];
  let running: GuardedProcess | undefined;
  let wanted = false;
  const logFiles: string[] = [];

  function spawn(): void {
    wanted = true;
    if (running) return;
    const logFile = join(folder, `${name.replace(' ', '-')}-${logFiles.length + 1}.log`);
    logFiles.push(logFile);
    const child = guard.spawn({
      command: options.command,
      cwd: options.cwd,
      env: { ...inheritedEnvironment(), ...options.env },
      logFile,
      lastSignal: 'SIGKILL',
    });
    // Whoever waits for it does so with a timer.
    child.unref();
    running = child;
    child.exited.then(async (code) => {
      if (running !== child) return;
      running = undefined;
      if (!wanted) return;
      exits.push({ name, at: Date.now(), code, log: await lastLines(logFile) });
      if (!restarts) {
        wanted = false;
        return;
      }
      await Bun.sleep(restartPauseMs);
      if (wanted) spawn();
    });
  }

  return {
    name,
    port,
    pid: () => running?.pid,
    spawn,
    async start(deadlineMs = 60_000) {
      spawn();
      const began = performance.now();
      while (wanted && performance.now() - began - waitedMs(running?.pid) < deadlineMs) {
        if (await answers(`http://127.0.0.1:${port}${probe}`)) return true;
        await Bun.sleep(pollMs);
      }
      return false;
    },
    async kill() {
      wanted = false;
      const child = running;
      running = undefined;
      await child?.end('SIGKILL');
    },
    freeze: () => running?.signal('SIGSTOP'),
    thaw: () => running?.signal('SIGCONT'),
    async stop(deadlineMs) {
      wanted = false;
      const child = running;
      running = undefined;
      if (!child) return true;
      const began = performance.now();
      await child.end('SIGTERM', deadlineMs);
      return performance.now() - began < deadlineMs;
    },
    unwantedExits: () => exits,
    logFiles: () => logFiles,
  };
}

/** What the process has waited for a processor; 0 where the system does not say. */
function waitedMs(pid: number | undefined): number {
  try {
    const [, waited] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waited ?? 0) / 1e6;
  } catch {
    return 0;
  }
}

async function lastLines(file: string): Promise<string> {
  const text = await Bun.file(file)
    .text()
    .catch(() => '');
  return text.trimEnd().split('\n').slice(-5).join('\n');
}
