import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { StartError } from '../shared/start-error.ts';

/** What Confab keeps in a data folder, by the beginnings of the names. */
const ours = /^(?:lock|owner|format|database|token-secret|control)/;

const otherModes = 0o077;
const othersWrite = 0o002;
/** On a folder: what is in it is removed and renamed by its owner alone. */
const sticky = 0o1000;

/**
 * Makes a folder for this process's user alone, or of one that is there: PGlite makes its files of mode 666, whatever the
 * umask. One in which others keep things too stays open to them; what is put there is not.
 * @throws StartError when others could put something in the place of what is kept there
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (process.platform === 'win32') return;
  const isClosed = async () => ((await stat(folder)).mode & otherModes) === 0;
  if (await isClosed()) return;

  const entries = await readdir(folder);
  // A folder of somebody else's can't be closed.
  if (entries.every((name) => ours.test(name))) await chmod(folder, 0o700).catch(() => {});
  const { mode } = await stat(folder);
  if ((mode & othersWrite) !== 0 && (mode & sticky) === 0) {
    throw new StartError(
      `The data folder ${folder} can be written by every user of this machine: chmod 700 it, or set DATA_DIR to another.`,
    );
  }
}
