/** `bun run dlq`: looks at dead letters, gives them another try, or forgets them. */
import { createAdapters } from '../adapters/adapters.ts';
import type { Ground } from '../adapters/ground.ts';
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { assertPartitioning, envelopeKey } from '../db/settings.ts';
import { assertHasData, openDataFolder } from '../process/data-folder.ts';
import { createLifecycle } from '../process/lifecycle.ts';
import { loadConfig } from '../process/load-config.ts';
import type { Config } from '../shared/config.ts';
import { createEnvelopeCodec } from '../shared/envelope-codec.ts';
import { createLog, type Logger } from '../shared/log.ts';
import { type DlqCommand, dlqUsage, parseDlqArguments } from './dlq/arguments.ts';
import { runDlq } from './dlq/run.ts';
import { operatorAudit } from './operator/audit.ts';
import { operate } from './operator/operate.ts';

/** How long a server is waited for: whoever types a command is there. */
const waitMs = 10_000;
const applicationName = 'confab dlq';

async function main(command: DlqCommand): Promise<number> {
  const config = loadConfig({ needsSecret: false });
  const log = createLog({ logLevel: 'error' }, 'dlq');
  const lifecycle = createLifecycle(log);
  try {
    if (command.verb === 'replay' && command.dataDir === undefined) await assertPartitions(config, log);
    const adapters = await createAdapters(await ground(command.dataDir, lifecycle.defer), {
      name: applicationName,
      config,
      log,
      lifecycle,
    });
    const vouch = async () => createEnvelopeCodec(await envelopeKey(await adapters.database())).vouch;
    const print = {
      out: (line: string) => console.log(line),
      err: (line: string) => console.error(line),
    };
    return await runDlq(command, await adapters.deadLetterStore(), vouch, print, operatorAudit('dlq'));
  } finally {
    await lifecycle.stop();
  }
}

/**
 * Another count than the others have would put a letter into a partition that is not its chat's, past its own order. So a
 * replay needs the database, as storing what it replays does.
 * @throws SchemaError when it is another, StartError when the database is away
 */
async function assertPartitions(config: Config, log: Logger): Promise<void> {
  const { partitionCount } = config;
  const postgres = { ...config.database, applicationName, migrates: false, waitMs, log };
  const database = await openReadyPostgres(postgres);
  try {
    await assertPartitioning(database, partitionCount);
  } finally {
    await database.close();
  }
}

async function ground(
  dataDir: string | undefined,
  defer: (name: string, undo: () => unknown) => void,
): Promise<Ground> {
  if (dataDir === undefined) return { kind: 'servers', waitMs };
  assertHasData(dataDir);
  const folder = await openDataFolder(dataDir);
  defer('the data folder', () => folder.close());
  return { kind: 'embedded', folder };
}

await operate(dlqUsage, () => main(parseDlqArguments(process.argv.slice(2))));
