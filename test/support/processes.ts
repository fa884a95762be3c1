import { afterAll } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment } from '../../harness/process.ts';
import { signalGroup } from '../../src/commands/servers/groups.ts';
import { createGuard, type Guard } from '../../src/commands/servers/guard.ts';
import { eventually } from './eventually.ts';
import { repository } from './repository.ts';

/** A process of ours, as a user starts it. */
export interface RunningProcess {
  readonly pid: number;
  /** Both of its outputs so far, in order of arrival. */
  output(): string;
  readonly exited: Promise<number>;
  running(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface Processes {
  /** `command` is run by this Bun, in the repository, with this environment and nothing of the developer's own. */
  run(command: readonly string[], env?: Record<string, string>): RunningProcess;
  /** A program of ours that is a file of its own. */
  program(path: string, env?: Record<string, string>): RunningProcess;
  /** What a user pastes into a terminal, in the repository's folder. */
  bash(script: string): RunningProcess;
  /** Runs to its end. */
  finish(command: readonly string[], env?: Record<string, string>): Promise<{ code: number; output: string }>;
  /** A new folder, removed after the test file. */
  folder(): Promise<string>;
}

/** One for all files of a run; its watchdog notices the end of this process. */
let guard: Guard | undefined;

/** `const processes = testProcesses();` at the top of the file: none of them outlives it. */
export function testProcesses(): Processes {
  const started: RunningProcess[] = [];
  const folders: string[] = [];
  afterAll(async () => {
    await Promise.all(started.map((each) => each.kill()));
    for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }, 30_000);

  /** @param group whether it starts others: they end with it */
  const spawn = (
    command: readonly string[],
    env: Record<string, string> = {},
    group = false,
  ): RunningProcess => {
    let output = '';
    const child = Bun.spawn([...command], {
      cwd: repository,
      env: { ...inheritedEnvironment(), ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      detached: group,
    });
    const target = group ? -child.pid : child.pid;
    // A file that fails at its top gets no afterAll, one that is killed nothing at all.
    guard ??= createGuard();
    const forget = guard.undoOnDeath(`process ${child.pid}`, ['kill', '-KILL', '--', String(target)]);
    void child.exited.then(forget);
    const decoder = new TextDecoder();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
    };
    const read1 = read(child.stdout);
    const read2 = read(child.stderr);
    const running: RunningProcess = {
      pid: child.pid,
      output: () => output,
      exited: Promise.all([child.exited, read1, read2]).then(([code]) => code),
      running: () => child.exitCode === null && child.signalCode === null,
      signal: (signal) => child.kill(signal),
      async kill() {
        if (group) signalGroup(child.pid, 'SIGKILL');
        else child.kill('SIGKILL');
        await child.exited;
      },
    };
    started.push(running);
    return running;
  };

  const run: Processes['run'] = (command, env) => spawn([process.execPath, '--no-env-file', ...command], env);

  return {
    run,
    program: (path, env) => spawn([path], env),
    bash: (script) => spawn(['bash', '-c', script], {}, true),
    async finish(command, env) {
      const process = run(command, env);
      return { code: await process.exited, output: process.output() };
    },
    async folder() {
      const folder = await mkdtemp(join(tmpdir(), 'confab-test-'));
      folders.push(folder);
      return folder;
    },
  };
}

/** Waits for a line of the process's output; when it ends before, throws with all it said. */
export async function untilSays(process: RunningProcess, text: string, deadlineMs = 30_000): Promise<void> {
  await eventually(
    `a process says "${text}"`,
    () => {
      if (process.output().includes(text)) return true;
      if (!process.running()) throw new Error(`it ended without saying "${text}":\n${process.output()}`);
      return false;
    },
    deadlineMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.output()}`);
  });
}
