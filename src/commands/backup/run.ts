import { resolve } from 'node:path';
import { loadConfig } from '../../process/load-config.ts';
import { operate } from '../operator/operate.ts';
import { parseBackupArguments } from './arguments.ts';

/** Runs `backup` or `restore`, of which each is given two folders. */
export const runBackupCommand = (
  usage: string,
  work: (folders: { backup: string; dataDir: string }) => Promise<void>,
): Promise<void> =>
  operate(usage, async () => {
    // Whatever is written is this user's alone.
    process.umask(0o077);
    const { backup, dataDir } = parseBackupArguments(process.argv.slice(2));
    await work({ backup, dataDir: resolve(dataDir ?? loadConfig({ needsSecret: false }).dataDir) });
    return 0;
  });
