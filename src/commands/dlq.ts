/** `bun run dlq`: looks at dead letters, gives them another try, or forgets them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createAdapters, type Ground } from '../shared/adapters.ts';
import { parseConfig } from '../shared/config.ts';
import { openDataFolder } from '../shared/data-folder.ts';
import { createLifecycle } from '../shared/lifecycle.ts';
import { createLog } from '../shared/log.ts';
import { StartError } from '../shared/start-error.ts';
import { type DlqCommand, dlqUsage, parseDlqArguments, UsageError } from './dlq/arguments.ts';
import { runDlq } from './dlq/run.ts';

/** How long a broker is waited for: whoever types a command is there. */
const waitMs = 10_000;

async function main(command: DlqCommand): Promise<number> {
  const config = parseConfig(process.env, { needsSecret: false });
  const log = createLog({ logLevel: 'error' }, 'dlq');
  const lifecycle = createLifecycle(log);
  try {
    const adapters = await createAdapters(await ground(command.dataDir, lifecycle.defer), {
      name: 'confab dlq',
      config,
      log,
      lifecycle,
    });
    return await runDlq(command, await adapters.deadLetterStore(), {
      out: (line) => console.log(line),
      err: (line) => console.error(line),
    });
  } finally {
    await lifecycle.stop();
  }
}

async function ground(
  dataDir: string | undefined,
  defer: (name: string, undo: () => unknown) => void,
): Promise<Ground> {
  if (dataDir === undefined) return { kind: 'servers', waitMs };
  if (!existsSync(join(dataDir, 'database')))
    throw new StartError(`There is no data of Confab in ${dataDir}.`);
  const folder = await openDataFolder(dataDir);
  defer('the data folder', () => folder.close());
  return { kind: 'embedded', folder };
}

try {
  process.exitCode = await main(parseDlqArguments(process.argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${dlqUsage}`);
    process.exitCode = 2;
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
