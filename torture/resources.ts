import { readdir, readlink } from 'node:fs/promises';
import { residentBytes } from '../harness/usage.ts';
import type { Deployment } from './deployment.ts';
import type { Resources } from './history.ts';

const restMs = 3_000;

/** Of all processes, at rest. */
export async function readProcesses(
  deployment: Deployment,
): Promise<{ name: string; resources: Resources | undefined }[]> {
  // What the clients' pools keep open is no part of it.
  for (const link of deployment.links['clients-api']) link.cut();
  await Bun.sleep(restMs);
  return Promise.all(
    Object.values(deployment.own)
      .flat()
      .map(async (each) => {
        const pid = each.pid();
        return { name: each.name, resources: pid === undefined ? undefined : await readResources(pid) };
      }),
  );
}

/** Undefined where there is no /proc. */
async function readResources(pid: number): Promise<Resources | undefined> {
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
