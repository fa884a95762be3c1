/** `bun run test`: every check there is. `--embedded`: those that need no servers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createGuard } from './servers/guard.ts';
import { createLauncher, startTrio, stopTrio, type Trio } from './servers/launcher.ts';
import { obtainBinaries } from './servers/obtain.ts';
import { findTestFiles, planTests } from './testing/groups.ts';
import type { Counts } from './testing/results.ts';
import { cleanEnvironment, createStepRunner } from './testing/steps.ts';

const root = join(import.meta.dir, '../..');
const embeddedOnly = process.argv.includes('--embedded');
const print = (line: string) => console.log(line);
const started = performance.now();

const guard = createGuard();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => guard.close().then(() => process.exit(130)));

const folder = await guard.temporaryFolder('confab-run-');
const exampleEnv = join(root, '.env.example');
const env = cleanEnvironment(process.env, existsSync(exampleEnv) ? await Bun.file(exampleEnv).text() : '');
const steps = createStepRunner({ guard, root, folder, env, print });
const { groups, leftOut } = planTests(await findTestFiles(root), embeddedOnly);

/** Boots while the static checks run. Failing to start is told when a group needs the servers. */
async function startServers(): Promise<Trio> {
  const binaries = await obtainBinaries({
    guard,
    folder,
    print,
    needed: ['postgres', 'redis', 'rabbitmq', 'nginx'],
  });
  return startTrio(createLauncher(guard, binaries), folder, { durable: false });
}
const servers = groups.some((group) => group.needsServers)
  ? startServers().then(
      (trio) => ({ trio, error: undefined, seconds: (performance.now() - started) / 1000 }),
      (error: unknown) => ({ trio: undefined, error, seconds: 0 }),
    )
  : undefined;

const tool = (...command: string[]) => [process.execPath, '--no-env-file', '--bun', 'run', ...command];
const counts: Counts[] = [
  await steps.check('format and lint (biome)', tool('biome', 'check', '--error-on-warnings', '.')),
  await steps.check('types (tsc)', tool('tsc')),
  await steps.check('unused code (knip)', tool('knip')),
];

let announced = false;
for (const group of groups) {
  const extraEnv: Record<string, string> = {};
  if (group.needsServers && servers) {
    const { trio, error, seconds } = await servers;
    if (trio) {
      if (!announced) print(`  PostgreSQL, RabbitMQ and Redis were up after ${seconds.toFixed(1)} s`);
      announced = true;
      extraEnv.CONFAB_TEST_DATABASE_URL = trio.postgres.url;
      extraEnv.CONFAB_TEST_REDIS_URL = trio.redis.url;
      extraEnv.CONFAB_TEST_RABBITMQ_URL = trio.rabbitmq.url;
    } else {
      print(`✗ ${group.name}: ${group.files.length} files not run, no servers\n${describe(error)}`);
      counts.push({ passed: 0, failed: group.files.length });
      continue;
    }
  }
  counts.push(await steps.tests(group, extraEnv));
}

const trio = (await servers)?.trio;
if (trio) await stopTrio(trio);
await guard.removeFolder(folder);
await guard.close();

if (leftOut.length > 0)
  print(
    `Left out, because they need servers (bun run test has them):\n${leftOut.map((file) => `  ${file}`).join('\n')}`,
  );
if (groups.length === 0) {
  print('✗ there is no test to run');
  counts.push({ passed: 0, failed: 1 });
}
const passed = counts.reduce((sum, each) => sum + each.passed, 0);
const failed = counts.reduce((sum, each) => sum + each.failed, 0);
print(`${((performance.now() - started) / 1000).toFixed(0)} s in all`);
print(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
