import { join } from 'node:path';
import { cpuMicroseconds, residentBytes } from '../../harness/usage.ts';

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Asks the child; rejects with its error, or when it has ended. */
  call<Result>(method: string, argument?: unknown): Promise<Result>;
  cpuMicroseconds(): number;
  residentBytes(): number;
  end(): Promise<void>;
}

export interface ChildOptions {
  name: string;
  command: string[];
  env?: Record<string, string>;
}

const root = join(import.meta.dir, '../..');

/** Starts a process that calls `serveControl`, and resolves when it is ready to be asked. */
export async function startChild({ name, command, env = {} }: ChildOptions): Promise<Child> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  let ended = false;
  const ready = Promise.withResolvers<unknown>();
  waiting.set(0, ready);

  const reading = (async () => {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    }
  })();
  child.exited.then(async (code) => {
    await reading;
    ended = true;
    for (const one of waiting.values()) one.reject(new Error(`${name} ended with code ${code}`));
    waiting.clear();
  });

  function take(line: string): void {
    if (!line.startsWith('{"id":')) {
      console.log(`${name}: ${line}`);
      return;
    }
    const { id, result, error } = JSON.parse(line);
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(result);
    else one?.reject(new Error(`${name}: ${error}`));
  }

  await ready.promise;
  return {
    name,
    pid: child.pid,
    call<Result>(method: string, argument: unknown = null): Promise<Result> {
      if (ended) return Promise.reject(new Error(`${name} has ended`));
      lastId += 1;
      const one = Promise.withResolvers<unknown>();
      waiting.set(lastId, one);
      child.stdin.write(`${JSON.stringify({ id: lastId, method, argument })}\n`);
      child.stdin.flush();
      // The caller knows what the child answers.
      return one.promise as Promise<Result>;
    },
    cpuMicroseconds: () => cpuMicroseconds(child.pid),
    residentBytes: () => residentBytes(child.pid),
    async end() {
      if (ended) return;
      child.stdin.end();
      const killer = setTimeout(() => child.kill('SIGKILL'), 2_000);
      await child.exited;
      clearTimeout(killer);
    },
  };
}

/** The command for a file of `bench/children`, in a Bun of its own. */
export function bunChild(file: string): string[] {
  return [...bunCommand(), childFile(file)];
}

export const childFile = (file: string): string => join(root, 'bench/children', file);

/** With `BENCH_PROFILE` set to a folder, every process of Bun writes a CPU profile there at its end. */
export function bunCommand(): string[] {
  const folder = process.env.BENCH_PROFILE;
  const profile = folder ? ['--cpu-prof', '--cpu-prof-md', `--cpu-prof-dir=${folder}`] : [];
  return [process.execPath, '--no-env-file', ...profile];
}

/** Node runs no TypeScript: the peer is translated next to the packages it imports. */
export async function nodePeer(): Promise<string[]> {
  const node = Bun.which('node');
  if (node === null) throw new Error('node is needed for a peer and is not on the PATH');
  const outdir = join(root, 'node_modules/.cache/confab-bench');
  await Bun.build({
    entrypoints: [join(root, 'bench/children/peer.ts')],
    outdir,
    target: 'node',
    packages: 'external',
    naming: 'peer.mjs',
  });
  return [node, '--expose-gc', join(outdir, 'peer.mjs')];
}
