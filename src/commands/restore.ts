/** `bun run restore`: what `bun run backup` has made becomes a data folder again. */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { readMigrations } from '../db/migration-files.ts';
import { restoringName } from '../process/data-folder.ts';
import { lockFolder } from '../process/folder-lock.ts';
import { makePrivateFolder } from '../process/private-folder.ts';
import { StartError } from '../shared/start-error.ts';
import { assertWhole, dataOf, readManifest } from './backup/manifest.ts';
import { runBackupCommand } from './backup/run.ts';

const usage = `bun run restore <folder> [--data-dir <folder>]

Makes a data folder of the backup in <folder>: DATA_DIR, or --data-dir, which must be empty, or not be there.`;

await runBackupCommand(usage, async ({ backup, dataDir }) => {
  const known = new Set(readMigrations().map(({ name }) => name));
  const manifest = await readManifest(backup, known);
  if (existsSync(dataDir) && (await readdir(dataDir)).length > 0)
    throw new StartError(`${dataDir} is not empty: move it away, or restore into another folder.`);
  await assertWhole(backup, manifest);

  const data = dataOf(backup);
  await makePrivateFolder(dataDir);
  const lock = lockFolder(dataDir);
  if (!lock)
    throw new StartError(
      `${dataDir} is in use by another Confab: stop that one, or restore into another folder.`,
    );
  // What has the other name is complete, and where this one is nothing starts.
  const unfinished = join(dataDir, restoringName);
  await mkdir(unfinished);
  for (const name of (await readdir(data)).filter((each) => each !== 'database'))
    await cp(join(data, name), join(dataDir, name));
  await cp(join(data, 'database'), unfinished, { recursive: true });
  // PostgreSQL wants empty folders, which not everything that copies a backup keeps.
  for (const folder of manifest.folders.filter(
    (path) => path.startsWith('database/') && !path.includes('..'),
  ))
    await mkdir(join(unfinished, folder.slice('database/'.length)), { recursive: true });
  await rename(unfinished, join(dataDir, 'database'));
  lock.release();
  console.log(
    `Restored ${dataDir} as it was at ${manifest.madeAt}. What was said since is gone; clients that know of it are told to read ` +
      'again (chat.sync.reset).',
  );
});
