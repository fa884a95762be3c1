import { readdir, readlink } from 'node:fs/promises';
import { residentBytes } from '../harness/usage.ts';
import type { Resources } from './history.ts';

/** Undefined where there is no /proc. */
export async function readResources(pid: number): Promise<Resources | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    const targets = await Promise.all(
      descriptors.map((each) => readlink(`/proc/${pid}/fd/${each}`).catch(() => '')),
    );
    return {
      descriptors: descriptors.length,
      sockets: targets.filter((target) => target.startsWith('socket:')).length,
      memoryBytes: residentBytes(pid),
    };
  } catch {
    return undefined;
  }
}
