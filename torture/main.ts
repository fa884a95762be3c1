/** `bun run torture`: a load of clients, a seeded schedule of faults, and the judgement of what came out of it. */
import { join } from 'node:path';
import { createGuard } from '../src/commands/servers/guard.ts';
import { parseTortureArguments, tortureUsage } from './arguments.ts';
import { tortureEmbedded } from './embedded.ts';
import { nameOf } from './fault.ts';
import { clusterRuns, tortureCluster, tortureServers } from './on-servers.ts';
import { copyProgram } from './program.ts';
import { makeSchedule } from './schedule.ts';

const repository = join(import.meta.dir, '..');
const print = (line: string) => console.log(line);

async function main(given: ReturnType<typeof parseTortureArguments>): Promise<number> {
  if ('list' in given && given.list) {
    for (const options of 'redis' in given ? clusterRuns(given) : [given]) {
      if ('cluster' in options) print(`Redis: ${options.cluster}`);
      for (const { atMs, faults } of makeSchedule(options)) {
        print(`${atMs / 1000} s  ${faults.map(nameOf).join(', ')}`);
      }
    }
    return 0;
  }
  const guard = createGuard();
  // At once: whatever still ran here would start again what is being taken down. The guard's watchdog sees our end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const folder = await guard.temporaryFolder('confab-torture-');
  const root = await copyProgram(repository, folder);
  const place = { guard, folder, root, print };
  try {
    const passed =
      'kills' in given
        ? await tortureEmbedded(given, place)
        : await ('redis' in given ? tortureCluster(given, place) : tortureServers(given, place));
    return passed ? 0 : 1;
  } finally {
    await guard.removeFolder(folder);
    await guard.close();
  }
}

/** Bun reads it once, at start; its default of 256 would make clients wait for each other while an api is frozen. */
const requestsVariable = 'BUN_CONFIG_MAX_HTTP_REQUESTS';

try {
  const given = parseTortureArguments(process.argv.slice(2));
  if (process.env[requestsVariable] === undefined && !('list' in given && given.list)) {
    const again = Bun.spawn([process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, [requestsVariable]: '4000' },
      stdio: ['inherit', 'inherit', 'inherit'],
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => again.kill(signal));
    process.exit(await again.exited);
  }
  process.exit(await main(given));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(`\n${tortureUsage}`);
  process.exit(2);
}
