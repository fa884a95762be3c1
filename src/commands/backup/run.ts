import { resolve } from 'node:path';
import { loadConfig } from '../../process/load-config.ts';
import { type BackupCommand, parseBackupArguments, UsageError } from './arguments.ts';

/** Runs `backup` or `restore`, and sets the status that it ends with. */
export async function runBackupCommand(
  usage: string,
  work: (command: BackupCommand & { dataDir: string }) => Promise<void>,
): Promise<void> {
  // Whatever is written is this user's alone.
  process.umask(0o077);
  try {
    const { backup, dataDir } = parseBackupArguments(process.argv.slice(2));
    await work({ backup, dataDir: resolve(dataDir ?? loadConfig({ needsSecret: false }).dataDir) });
  } catch (error) {
    const isUsage = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : error);
    if (isUsage) console.error(`\n${usage}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}
