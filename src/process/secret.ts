import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../shared/start-error.ts';
import { makePrivateFolder } from './private-folder.ts';

const fileName = 'token-secret';
const bytes = 32;

/**
 * The secret that tokens are signed with, made at the first call and kept in the data folder for its owner alone.
 * Processes that start together end up with the same one: it is written aside and linked into place, which only the
 * first can do.
 * @throws StartError when the folder can't be written, or the file does not hold a secret
 */
export async function keptTokenSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, fileName);
  try {
    await makePrivateFolder(dataDir);
    return (await readSecret(path)) ?? (await makeSecret(path));
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `The token secret can't be kept in ${path} (${describe(error)}): set DATA_DIR to a folder that can be written, or JWT_SECRET.`,
      { cause: error },
    );
  }
}

async function makeSecret(path: string): Promise<string> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(aside, randomBytes(bytes).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(aside, path).catch(async (error) => {
      if (error.code === 'EEXIST') return;
      // A file system without links.
      await copyFile(aside, path, constants.COPYFILE_EXCL).catch((copyError) => {
        if (copyError.code !== 'EEXIST') throw copyError;
      });
    });
  } finally {
    await rm(aside, { force: true });
  }
  const secret = await readSecret(path);
  if (secret === undefined) throw new StartError(`${path} was removed while starting: start again.`);
  return secret;
}

async function readSecret(path: string): Promise<string | undefined> {
  const secret = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (secret !== undefined && Buffer.byteLength(secret.trim()) < bytes) {
    throw new StartError(
      `${path} does not hold a secret of at least ${bytes} bytes: remove it, all sign in again.`,
    );
  }
  return secret?.trim();
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
