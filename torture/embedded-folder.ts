import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Guard } from '../src/commands/servers/guard.ts';
import { createKillable, type Killable } from './embedded-kills.ts';
import { createOwnProcess, type OwnProcess } from './own-process.ts';

/** A data folder on which nothing has been started, and the process that is to make it. */
export interface EmbeddedFolder {
  dataDir: string;
  standalone: OwnProcess;
  killable: Killable;
}

/** With what `bun run dev` starts, and nothing of a developer's own settings. */
export async function newEmbeddedFolder(options: {
  guard: Guard;
  /** Made here. */
  folder: string;
  /** The program's. */
  root: string;
  port: number;
}): Promise<EmbeddedFolder> {
  const { guard, folder, root, port } = options;
  await mkdir(folder);
  const dataDir = join(folder, 'data');
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const standalone = createOwnProcess({
    ...{ guard, port, folder, cwd: root, pollMs: 20 },
    name: 'confab',
    command: [process.execPath, '--no-env-file', join(root, 'src/standalone.ts')],
    env: {
      ...{ PATH, HOME, TMPDIR, LANG },
      DATA_DIR: dataDir,
      PORT: String(port),
      LOG_LEVEL: 'warn',
      RATE_LIMIT_ENABLED: 'false',
      JWT_ACCESS_TTL: '12h',
    },
  });
  return { dataDir, standalone, killable: createKillable(standalone, dataDir) };
}
