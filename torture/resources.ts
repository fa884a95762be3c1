import { readdir, readlink } from 'node:fs/promises';
import type { Resources } from './history.ts';

/** Undefined where there is no /proc. */
export async function readResources(pid: number): Promise<Resources | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    const targets = await Promise.all(
      descriptors.map((each) => readlink(`/proc/${pid}/fd/${each}`).catch(() => '')),
    );
    const status = await Bun.file(`/proc/${pid}/status`).text();
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    return {
      descriptors: descriptors.length,
      sockets: targets.filter((target) => target.startsWith('socket:')).length,
      memoryBytes: kilobytes * 1024,
    };
  } catch {
    return undefined;
  }
}
