import { Database } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Takes the folder (made if missing) for this process: undefined if another one has it. The lock is the operating
 * system's, held through an SQLite file: whatever ends the process frees it, so nothing stale can be left.
 * Keep the answer referenced: when it is collected, the lock is free.
 */
export function lockFolder(folder: string): { release(): void } | undefined {
  mkdirSync(folder, { recursive: true });
  const file = new Database(join(folder, 'lock'), { create: true });
  try {
    file.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch {
    file.close();
    return undefined;
  }
  return { release: () => file.close() };
}
