import { existsSync, readFileSync } from 'node:fs';
import { chmod, constants, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { openPglite, type Pglite } from '../db/pglite.ts';
import { SchemaError } from '../db/schema-error.ts';
import { StartError } from '../shared/start-error.ts';
import { lockFolder } from './folder-lock.ts';
import { makePrivateFolder } from './private-folder.ts';

/** Of the folder's layout; a higher number on disk was made by a newer version. */
const format = 1;

export interface DataFolder {
  /** Opens the database, makes it at the first start, applies what its schema is missing. */
  openDatabase(): Promise<Database>;
  /** From now on who asks the database waits for its turn as in any pool: {@link Pglite.limitWaits}. */
  limitWaits(): void;
  /** Copies all that is kept into a new folder, while nothing is written; whoever asks the database meanwhile waits for its turn. */
  copyTo(target: string): Promise<void>;
  /** Gives the folder free. */
  close(): void;
}

/**
 * What the single process keeps, for one process at a time:
 *
 *     lock, owner    held while a process runs here; its id, for the one that finds it locked
 *     format         the layout's version
 *     database/      PGlite; built as `database.unfinished/` and renamed, so what has this name is complete; a restore
 *                    builds it as `database.restoring/`
 *     token-secret   see secret.ts
 *     control        see backup-control.ts
 *
 * @throws StartError when the folder can't be written, or by everybody, is in use, or was made by a newer version
 */
export async function openDataFolder(dataDir: string): Promise<DataFolder> {
  const folder = resolve(dataDir);
  const opened = await openIfFree(folder);
  if (!opened) throw inUse(folder);
  return opened;
}

/**
 * The same, where no process has the folder; undefined where one has.
 * @throws StartError as above, but for a folder in use
 */
export async function openIfFree(dataDir: string): Promise<DataFolder | undefined> {
  const folder = resolve(dataDir);
  await makeFolder(folder);
  const lock = takeLock(folder);
  if (!lock) return undefined;
  try {
    await assertFormat(folder);
    await writeFile(join(folder, 'owner'), String(process.pid));
  } catch (error) {
    lock.release();
    throw error;
  }

  const ready = join(folder, 'database');
  const unfinished = join(folder, 'database.unfinished');
  let open: Pglite | undefined;

  return {
    async openDatabase() {
      if (!existsSync(ready)) {
        if (existsSync(join(folder, restoringName)))
          throw new StartError(
            `A backup was being restored into ${folder}, and did not get to its end: empty the folder, and restore it again.`,
          );
        // A first start that did not get to its end: nothing was accepted before the rename.
        await rm(unfinished, { recursive: true, force: true });
        const first = await openPglite(unfinished);
        await migrate(first);
        await first.close();
        await renamePatiently(unfinished, ready);
      }
      // A copy that was put back may be open to everybody, and PGlite's files are.
      await chmod(ready, 0o700).catch((error) => {
        throw notWritable(folder, error);
      });
      try {
        // Without this file PGlite takes the folder for empty and makes a new database over the old one.
        if (!existsSync(join(ready, 'PG_VERSION'))) throw new Error('PG_VERSION is missing');
        const database = await openPglite(ready);
        await migrate(database);
        open = database;
        return database;
      } catch (error) {
        if (error instanceof SchemaError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        throw new StartError(
          `The data in ${ready} can't be opened, it is damaged (${reason.split('\n')[0]}): ` +
            'put a copy of it back, or move the folder away to start with an empty one.',
          { cause: error },
        );
      }
    },
    limitWaits: () => open?.limitWaits(),
    async copyTo(target) {
      const copy = () => copyKept(folder, target);
      await (open ? open.standStill(copy) : copy());
    },
    close: lock.release,
  };
}

/** @throws StartError where nothing was kept yet */
export function assertHasData(dataDir: string): void {
  if (!existsSync(join(dataDir, 'database')))
    throw new StartError(`There is no data of Confab in ${dataDir}.`);
}

/** What a restore has not finished. */
export const restoringName = 'database.restoring';

/** What has to outlive the process; the secret may be in the environment. */
const kept = ['format', 'token-secret', 'database'];

async function copyKept(folder: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  for (const name of kept.filter((each) => existsSync(join(folder, each))))
    await cp(join(folder, name), join(target, name), { recursive: true, mode: constants.COPYFILE_FICLONE });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await makePrivateFolder(folder);
  } catch (error) {
    throw error instanceof StartError ? error : notWritable(folder, error);
  }
}

function takeLock(folder: string): ReturnType<typeof lockFolder> {
  try {
    return lockFolder(folder);
  } catch (error) {
    throw notWritable(folder, error);
  }
}

async function assertFormat(folder: string): Promise<void> {
  const path = join(folder, 'format');
  if (!existsSync(path)) {
    await writeFile(path, String(format)).catch((error) => {
      throw notWritable(folder, error);
    });
    return;
  }
  const found = Number(await readFile(path, 'utf8'));
  if (found > format) {
    throw new StartError(
      `The data folder ${folder} was made by a newer version: run that version, or set DATA_DIR to another folder.`,
    );
  }
}

/** On Windows a virus scanner may hold a file of a folder just written. */
async function renamePatiently(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (attempt === 10) throw error;
      await sleep(100);
    }
  }
}

function inUse(folder: string): StartError {
  let owner = '';
  try {
    owner = ` (process ${readFileSync(join(folder, 'owner'), 'utf8')})`;
  } catch {
    // It has just been locked.
  }
  return new StartError(
    `The data folder ${folder} is in use by another Confab${owner}: stop that one, or set DATA_DIR and PORT for this one.`,
  );
}

function notWritable(folder: string, cause: unknown): StartError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StartError(
    `The data folder ${folder} can't be written (${reason}): mend its rights, or set DATA_DIR to another folder.`,
    { cause },
  );
}
