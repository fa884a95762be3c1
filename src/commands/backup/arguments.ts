import { resolve } from 'node:path';
import { UsageError } from '../operator/operate.ts';
import { parsed } from '../operator/parsed.ts';

export interface BackupCommand {
  backup: string;
  /** Where Confab keeps its data; undefined: as the environment says. */
  dataDir: string | undefined;
}

/** Of `backup` and `restore` alike. @throws UsageError */
export function parseBackupArguments(argv: readonly string[]): BackupCommand {
  const { positionals, values } = parsed({
    args: [...argv],
    allowPositionals: true,
    options: { 'data-dir': { type: 'string' } },
  });
  const [backup, ...more] = positionals;
  if (backup === undefined || more.length > 0)
    throw new UsageError('One folder is wanted: that of the backup.');
  return { backup: resolve(backup), dataDir: values['data-dir'] };
}
