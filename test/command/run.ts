import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { serverNames } from '../../src/commands/servers/binaries.ts';
import type { Guard } from '../../src/commands/servers/guard.ts';
import { createLauncher, startTrio, stopTrio, type Trio } from '../../src/commands/servers/launcher.ts';
import { obtainBinaries } from '../../src/commands/servers/obtain.ts';
import { findTestFiles, planTests } from './groups.ts';
import type { Counts } from './results.ts';
import { cleanEnvironment, createStepRunner } from './steps.ts';

interface Options {
  guard: Guard;
  root: string;
  /** Leaves out the tests that need servers, and says which. */
  embeddedOnly: boolean;
  /** Writes down how long each file took, by which later runs begin with the slowest. */
  updateTimings: boolean;
  print: (line: string) => void;
  /** See {@link createStepRunner}. */
  ending: () => Promise<never> | undefined;
}

/**
 * Runs all checks and resolves to what passed and failed. The private servers boot while the static checks run. Throws,
 * before the first step, when servers are needed and there is no way to them.
 */
export async function runAll({
  guard,
  root,
  embeddedOnly,
  updateTimings,
  print,
  ending,
}: Options): Promise<Counts> {
  const folder = await guard.temporaryFolder('confab-run-');
  const { groups, leftOut } = planTests(await findTestFiles(root), embeddedOnly);
  const needsServers = groups.some((group) => group.needsServers);
  const servers = needsServers ? bootServers(await launcherFor(guard, folder, print), folder) : undefined;

  const example = Bun.file(join(root, '.env.example'));
  const env = cleanEnvironment(process.env, existsSync(example.name ?? '') ? await example.text() : '');
  const steps = createStepRunner({ guard, root, folder, updateTimings, env, print, ending });
  const tool = (...command: string[]) => [process.execPath, '--no-env-file', '--bun', 'run', ...command];
  const counts = [
    await steps.check('format and lint (biome)', tool('biome', 'check', '--error-on-warnings', '.')),
    await steps.check('types (tsc)', tool('tsc')),
    await steps.check('types of the web client (tsc)', tool('tsc', '-p', 'web')),
    await steps.check('unused code (knip)', tool('knip')),
  ];

  let told = false;
  for (const group of groups) {
    const booted = group.needsServers ? await servers : undefined;
    if (booted && (!booted.trio || !told)) print(booted.line);
    told ||= booted !== undefined;
    // What `test/support/pglite.ts` reads and writes.
    const handed = { CONFAB_TEST_FOLDER: folder, ...(booted?.trio ? handedOver(booted.trio) : {}) };
    if (booted && !booted.trio) counts.push({ passed: 0, failed: group.files.length });
    else counts.push(await steps.tests(group, handed));
  }
  if (groups.length === 0) {
    print('✗ there is no test to run');
    counts.push({ passed: 0, failed: 1 });
  }

  const trio = (await servers)?.trio;
  if (trio) await stopTrio(trio);
  await guard.removeFolder(folder);
  if (leftOut.length > 0)
    print(['Left out, because they need servers (bun run test has them):', ...leftOut].join('\n  '));
  return {
    passed: counts.reduce((sum, each) => sum + each.passed, 0),
    failed: counts.reduce((sum, each) => sum + each.failed, 0),
  };
}

async function launcherFor(guard: Guard, folder: string, print: (line: string) => void) {
  return createLauncher(guard, await obtainBinaries({ guard, folder, print, needed: [...serverNames] }));
}

/** Never rejects: a failure to start is told when a group needs the servers. */
async function bootServers(launcher: Awaited<ReturnType<typeof launcherFor>>, folder: string) {
  const started = performance.now();
  try {
    const trio = await startTrio(launcher, folder, { durable: false });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    return { trio, line: `  on PostgreSQL, RabbitMQ and Redis of its own, up after ${seconds} s` };
  } catch (error) {
    return { trio: undefined, line: `✗ its servers did not start: ${String(error)}` };
  }
}

/** What `test/support/servers.ts` reads. */
function handedOver({ postgres, redis, rabbitmq }: Trio): Record<string, string> {
  return {
    CONFAB_TEST_DATABASE_URL: postgres.url,
    CONFAB_TEST_REDIS_URL: redis.url,
    CONFAB_TEST_RABBITMQ_URL: rabbitmq.url,
  };
}
