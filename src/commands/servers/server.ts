import { anyRuns, processTree } from './groups.ts';
import type { Guard, GuardedCommand, GuardedProcess } from './guard.ts';
import { untilReady } from './ready.ts';

/** A private server: an address, and what tests of failures do to it. */
export interface Server {
  readonly name: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The main process. Throws while it is down, and for servers that run in a container. */
  pid(): number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Up again on the same port and folder (killed first if it is up); resolves when it answers. */
  restart(): Promise<void>;
  /** Freezes all its processes: connections stay open and nobody answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it. Its folder stays. Repeating it does no harm. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  guard: Guard;
  /** Belongs to this server alone; made if missing. */
  folder: string;
  port: number;
  /**
   * True: data survives crashes and the server is ended in good order. False: for tests, as fast as it goes
   * (no fsync, ended by force).
   */
  durable: boolean;
}

interface Definition {
  guard: Guard;
  name: string;
  url: string;
  port: number;
  command: () => GuardedCommand;
  check: () => Promise<boolean>;
  stopSignal: NodeJS.Signals;
  deadlineMs: number;
}

/** Starts a server's process and gives the handle over it. Throws if it does not answer in time. */
export async function runServer(definition: Definition): Promise<Server> {
  const { guard, name, url, port, command, check, stopSignal, deadlineMs } = definition;
  let running: GuardedProcess | undefined;
  let frozen: number[] = [];

  const start = async (): Promise<void> => {
    const { logFile, ...rest } = command();
    running = guard.spawn({ logFile, ...rest });
    try {
      await untilReady({ what: name, check, process: running, logFile, deadlineMs });
    } catch (error) {
      await end('SIGKILL');
      throw error;
    }
    running.unref();
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = running;
    running = undefined;
    await thaw();
    if (!ending) return;
    // PostgreSQL's children lead groups of their own, and while one lives the data folder cannot be opened again.
    const children = await processTree(ending.pid);
    if (signal === 'SIGKILL') for (const each of children) trySignal(each, signal);
    await ending.end(signal);
    while (await anyRuns(children)) await Bun.sleep(5);
  };
  const thaw = async (): Promise<void> => {
    for (const pid of frozen.splice(0)) trySignal(pid, 'SIGCONT');
  };
  const pid = (): number => {
    if (!running) throw new Error(`${name} is not running`);
    return running.pid;
  };

  await start();
  return {
    name,
    url,
    host: '127.0.0.1',
    port,
    pid,
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL');
      await start();
    },
    async pause() {
      trySignal(pid(), 'SIGSTOP');
      frozen = await processTree(pid());
      for (const each of frozen) trySignal(each, 'SIGSTOP');
    },
    resume: thaw,
    stop: () => end(stopSignal),
  };
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already
  }
}
