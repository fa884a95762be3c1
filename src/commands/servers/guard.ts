import { closeSync, openSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groupIsAlive, signalGroup } from './groups.ts';

/** What the watchdog is told, one JSON object a line. */
export type WatchdogOrder =
  | { do: 'watch'; pid: number; signal: NodeJS.Signals }
  | { do: 'forget'; pid: number }
  | { do: 'remove'; folder: string }
  | { do: 'undo'; key: string; command: string[] }
  | { do: 'keep'; key: string };

export interface GuardedProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** Signals the whole process group. */
  signal(signal: NodeJS.Signals): void;
  /** From now on it does not keep this process from ending by itself. */
  unref(): void;
  /** Sends `signal`, waits, and after `deadlineMs` (10 s) sends SIGKILL. */
  end(signal: NodeJS.Signals, deadlineMs?: number): Promise<void>;
}

export interface GuardedCommand {
  command: string[];
  cwd: string;
  env: Record<string, string | undefined>;
  /** Standard output and error are written there (the file starts anew). */
  logFile: string;
  /** What ends it when its owner has died. */
  lastSignal: NodeJS.Signals;
  user?: { uid: number; gid: number } | undefined;
}

/**
 * Owns processes and temporary folders, and sees to it that none outlives this process, however that ends: a
 * watchdog beside it holds a pipe from here and takes down what is left when the pipe closes.
 */
export interface Guard {
  /** Throws when {@link Guard.close} was called. */
  spawn(command: GuardedCommand): GuardedProcess;
  /** A new folder in the system's temporary one, removed at the end. Other users may pass through, not list it. */
  temporaryFolder(prefix: string): Promise<string>;
  removeFolder(folder: string): Promise<void>;
  /** Runs `command` if this process dies before the returned function is called. */
  undoOnDeath(key: string, command: string[]): () => void;
  /** Ends whatever still runs, removes the folders, and refuses to start anything from then on. */
  close(): Promise<void>;
}

export function createGuard(): Guard {
  const watchdog = Bun.spawn([process.execPath, '--no-env-file', join(import.meta.dir, 'watchdog.ts')], {
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    detached: true,
  });
  watchdog.unref();

  let closing = false;
  const tell = (order: WatchdogOrder): void => {
    if (closing) return;
    watchdog.stdin.write(`${JSON.stringify(order)}\n`);
    watchdog.stdin.flush();
  };

  return {
    spawn({ command, cwd, env, logFile, lastSignal, user }) {
      // Nobody would end it.
      if (closing) throw new Error(`not started, because everything is being ended: ${command[0]}`);
      // One descriptor for both: two of them would write over each other.
      const log = openSync(logFile, 'w');
      const child = Bun.spawn(command, {
        cwd,
        env,
        stdin: 'ignore',
        stdout: log,
        stderr: log,
        detached: true,
        ...(user ?? {}),
      });
      closeSync(log);
      tell({ do: 'watch', pid: child.pid, signal: lastSignal });
      const exited = child.exited.then(async (code) => {
        // Descendants may outlive the leader; as long as they do, the group stays watched.
        if (!(await groupIsAlive(child.pid))) tell({ do: 'forget', pid: child.pid });
        return code;
      });
      return {
        pid: child.pid,
        exited,
        signal: (signal) => signalGroup(child.pid, signal),
        unref: () => child.unref(),
        async end(signal, deadlineMs = 10_000) {
          signalGroup(child.pid, signal);
          const killer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), deadlineMs);
          child.ref();
          await exited;
          clearTimeout(killer);
          while (await groupIsAlive(child.pid)) {
            signalGroup(child.pid, 'SIGKILL');
            await Bun.sleep(10);
          }
          tell({ do: 'forget', pid: child.pid });
        },
      };
    },
    async temporaryFolder(prefix) {
      const folder = await mkdtemp(join(tmpdir(), prefix));
      tell({ do: 'remove', folder });
      await chmod(folder, 0o711);
      return folder;
    },
    async removeFolder(folder) {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      tell({ do: 'keep', key: folder });
    },
    undoOnDeath(key, command) {
      tell({ do: 'undo', key, command });
      return () => tell({ do: 'keep', key });
    },
    async close() {
      closing = true;
      await watchdog.stdin.end();
      watchdog.ref();
      await watchdog.exited;
    },
  };
}
