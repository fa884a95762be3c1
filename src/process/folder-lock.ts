import { Database } from 'bun:sqlite';
import { join } from 'node:path';

/**
 * Takes the folder for this process; undefined where another one has it. SQLite's lock on a file: atomic, gone with the
 * process however that ends, on Linux, macOS and Windows alike. A file with a process id in it would need guesses: after a
 * crash the id may be somebody else's, in containers it always is 1.
 *
 * Keep the answer referenced: when it is collected, the lock is free.
 * @throws Error when the folder is not there or can't be written
 */
export function lockFolder(folder: string): { release(): void } | undefined {
  const file = new Database(join(folder, 'lock'), { create: true, readwrite: true });
  try {
    file.run('PRAGMA busy_timeout = 0');
    file.run('PRAGMA journal_mode = MEMORY');
    file.run('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return undefined;
    throw error;
  }
  return { release: () => file.close() };
}
