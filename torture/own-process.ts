import { join } from 'node:path';
import type { Guard, GuardedProcess } from '../src/commands/servers/guard.ts';

export interface OwnProcess {
  readonly name: string;
  /** Where it listens. */
  readonly port: number;
  /** Undefined while it is down. */
  pid(): number | undefined;
  /** Starts it where it is down, and waits until it answers; false when it has not within the deadline. */
  start(deadlineMs?: number): Promise<boolean>;
  /** SIGKILL; stays down until `start`. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** SIGTERM; false when it had to be killed after the deadline. */
  stop(deadlineMs: number): Promise<boolean>;
  /** How often it ended though nobody wanted it to; it is then started again, as any supervisor would. */
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
 * pino's `fatal`. So a signal, a runtime that aborts and an end without a word are crashes.
 */
export function isCrash({ code, log }: UnwantedExit): boolean {
  const refused = code === 1 && /^[^{].* does not start: /m.test(log);
  return !refused || /^\{"level":60,/m.test(log);
}

export interface OwnProcessOptions {
  guard: Guard;
  name: string;
  port: number;
  command: string[];
  cwd: string;
  env: Record<string, string | undefined>;
  /** For what it prints: one file a start. */
  folder: string;
  /** How often it is asked whether it is up. */
  pollMs?: number;
}

const restartPauseMs = 500;

/** An api, worker or gateway as a real process, with a supervisor's restart. */
export function createOwnProcess(options: OwnProcessOptions): OwnProcess {
  const { guard, name, port, folder, pollMs = 100 } = options;
  const exits: UnwantedExit[] = [];
  let running: GuardedProcess | undefined;
  let wanted = false;
  const logFiles: string[] = [];

  function spawn(): void {
    const logFile = join(folder, `${name.replace(' ', '-')}-${logFiles.length + 1}.log`);
    logFiles.push(logFile);
    const child = guard.spawn({
      command: options.command,
      cwd: options.cwd,
      env: options.env,
      logFile,
      lastSignal: 'SIGKILL',
    });
    running = child;
    child.exited.then(async (code) => {
      if (running !== child) return;
      running = undefined;
      if (!wanted) return;
      exits.push({ name, at: Date.now(), code, log: await lastLines(logFile) });
      await Bun.sleep(restartPauseMs);
      if (wanted && !running) spawn();
    });
  }

  async function answers(): Promise<boolean> {
    try {
      const url = `http://127.0.0.1:${port}/healthz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(1_000), keepalive: false });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  }

  return {
    name,
    port,
    pid: () => running?.pid,
    async start(deadlineMs = 60_000) {
      wanted = true;
      if (!running) spawn();
      const deadline = performance.now() + deadlineMs;
      while (wanted && performance.now() < deadline) {
        if (await answers()) return true;
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

async function lastLines(file: string): Promise<string> {
  const text = await Bun.file(file)
    .text()
    .catch(() => '');
  return text.trimEnd().split('\n').slice(-5).join('\n');
}
