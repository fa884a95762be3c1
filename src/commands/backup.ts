/** `bun run backup`: a copy of what the single process keeps, while it runs or is stopped. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { readRecord } from '../db/migration-record.ts';
import { openPglite } from '../db/pglite.ts';
import { copyByProcess } from '../process/backup-control.ts';
import { assertHasData, openIfFree } from '../process/data-folder.ts';
import { StartError } from '../shared/start-error.ts';
import { dataOf, type Manifest, writeManifest } from './backup/manifest.ts';
import { runBackupCommand } from './backup/run.ts';

const usage = `bun run backup <folder> [--data-dir <folder>]

Copies all that \`bun run dev\` or \`bun run start\` keeps into a new folder, whether it runs or not. DATA_DIR says where that
is, or --data-dir. \`bun run restore\` makes it again.`;

await runBackupCommand(usage, async ({ backup, dataDir }) => {
  assertHasData(dataDir);
  if (`${backup}${sep}`.startsWith(`${dataDir}${sep}`))
    throw new StartError(`${backup} is in the data folder itself: name one elsewhere.`);
  if (existsSync(backup) && (await readdir(backup)).length > 0)
    throw new StartError(`${backup} is not empty: name a new folder.`);

  // Under its name there is a whole backup, or none; until then it is in a folder that nobody else has.
  await mkdir(dirname(backup), { recursive: true });
  const unfinished = await mkdtemp(`${backup}.unfinished-`);
  try {
    const madeAt = new Date().toISOString();
    const waited = await copyOf(dataDir, dataOf(unfinished));
    const migrations = await migrationsOf(join(dataOf(unfinished), 'database'));
    const facts = { madeAt, programVersion: packageJson.version, migrations };
    const { files } = await writeManifest(unfinished, facts);
    if (existsSync(backup)) await rmdir(backup);
    await rename(unfinished, backup);
    const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
    console.log(
      `Backed up ${dataDir} into ${backup}: ${megabytes.toFixed(1)} MB in ${files.length} files.${waited}`,
    );
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
});

/** @returns what is to be said of it */
async function copyOf(dataDir: string, target: string): Promise<string> {
  const folder = await openIfFree(dataDir);
  if (!folder) return ` For ${await copyByProcess(dataDir, target)} ms its process let requests wait.`;
  try {
    await folder.copyTo(target);
  } finally {
    folder.close();
  }
  return '';
}

/** Opens the copy as a start would: what can't be opened is no backup. */
async function migrationsOf(database: string): Promise<Manifest['migrations']> {
  const copy = await openPglite(database);
  try {
    const applied = [...(await readRecord(copy))];
    return applied.map(([name, { compatibleSince }]) => ({ name, compatibleSince }));
  } finally {
    await copy.close();
  }
}
