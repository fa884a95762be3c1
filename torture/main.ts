/** `bun run torture`: a load of clients, a seeded schedule of faults, and the judgement of what came out of it. */
import { join } from 'node:path';
import { startServers } from '../harness/servers.ts';
import { createGuard, type Guard } from '../src/commands/servers/guard.ts';
import { stopTrio } from '../src/commands/servers/launcher.ts';
import {
  type EmbeddedArguments,
  parseTortureArguments,
  type TortureArguments,
  tortureUsage,
} from './arguments.ts';
import { tortureEmbedded } from './embedded.ts';
import { nameOf } from './fault.ts';
import { judge } from './judge.ts';
import { copyProgram } from './program.ts';
import { recoveries } from './recovery.ts';
import { makeReport, printReport } from './report.ts';
import { runTorture } from './run.ts';
import { makeSchedule } from './schedule.ts';

const repository = join(import.meta.dir, '..');
const print = (line: string) => console.log(line);

async function main(given: TortureArguments | EmbeddedArguments): Promise<number> {
  if ('list' in given && given.list) {
    for (const { atMs, faults } of makeSchedule(given)) {
      print(`${atMs / 1000} s  ${faults.map(nameOf).join(', ')}`);
    }
    return 0;
  }
  const guard = createGuard();
  // At once: whatever still ran here would start again what is being taken down. The guard's watchdog sees our end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const folder = await guard.temporaryFolder('confab-torture-');
  const root = await copyProgram(repository, folder);
  try {
    const place = { guard, folder, root };
    const passed =
      'kills' in given
        ? await tortureEmbedded(given, { ...place, print })
        : await tortureServers(given, place);
    return passed ? 0 : 1;
  } finally {
    await guard.removeFolder(folder);
    await guard.close();
  }
}

async function tortureServers(
  given: TortureArguments,
  place: { guard: Guard; folder: string; root: string },
): Promise<boolean> {
  const { guard, folder } = place;
  const servers = await startServers({ guard, folder, print, durable: false });
  try {
    const result = await runTorture({ ...place, servers, waves: makeSchedule(given), print, ...given });
    const began = performance.now();
    const verdicts = judge(result.history);
    print(`judged in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const report = makeReport({
      ...{ result, verdicts },
      seed: given.seed,
      minutes: given.minutes,
      recoveries: recoveries(result.history, result.loadEndedAt),
    });
    printReport(report, print);
    if (given.report !== undefined)
      await Bun.write(given.report, `${JSON.stringify(report, undefined, 2)}\n`);
    return report.passed;
  } finally {
    await stopTrio(servers);
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
