/** `bun run status`: what runs, what waits, and what is away. */
import { loadConfig } from '../process/load-config.ts';
import { pause } from '../shared/backoff.ts';
import { createLog } from '../shared/log.ts';
import { operate } from './operator/operate.ts';
import { parseStatusArguments, type StatusCommand, statusUsage } from './status/arguments.ts';
import { lookAtServers } from './status/look.ts';
import { lookAtFolder } from './status/look-at-folder.ts';
import { show } from './status/show.ts';

const watchEveryMs = 2_000;
/** From the top of the terminal; what was there before stays above. */
const fromTheTop = '\x1b[H\x1b[2J';

async function main({ watch, json, dataDir }: StatusCommand): Promise<number> {
  const config = loadConfig({ needsSecret: false });
  // What servers say of themselves is among the problems.
  const log = createLog({ logLevel: 'silent' }, 'status');
  const look = () => (dataDir === undefined ? lookAtServers(config, log) : lookAtFolder(dataDir, config));
  if (!watch) {
    const status = await look();
    console.log(json ? JSON.stringify(status, undefined, 2) : show(status));
    return status.problems.length > 0 ? 1 : 0;
  }

  const ended = new AbortController();
  // A second one ends it in the middle of a look.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
  while (!ended.signal.aborted) {
    const status = await look();
    if (ended.signal.aborted) break;
    console.log(json ? JSON.stringify(status) : `${process.stdout.isTTY ? fromTheTop : ''}${show(status)}\n`);
    await pause(watchEveryMs, ended.signal);
  }
  return 0;
}

await operate(statusUsage, () => main(parseStatusArguments(process.argv.slice(2))));
