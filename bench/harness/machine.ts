import { cpus, release, totalmem } from 'node:os';

/** One line on what the figures were taken on. */
export async function machine(): Promise<string> {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const commit = await Bun.$`git -C ${import.meta.dir} rev-parse --short HEAD`.quiet().nothrow().text();
  return [
    `${all.length} × ${all[0]?.model.trim() ?? 'unknown processor'}`,
    `${memory} GB`,
    `Linux ${release()}`,
    `Bun ${Bun.version}`,
    `commit ${commit.trim() || 'unknown'}`,
    new Date().toISOString(),
  ].join(' · ');
}
