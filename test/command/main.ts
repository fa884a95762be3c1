/** `bun run test`: every check there is. With `--embedded`: those that need no servers. `--update-timings` writes `timings.json`. */
import { join } from 'node:path';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { runAll } from './run.ts';

const started = performance.now();
const guard = createGuard();
let ending: Promise<never> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (!ending) console.log('Ending everything …');
    ending ??= guard.close().then(() => process.exit(130));
  });

const counts = await runAll({
  guard,
  root: join(import.meta.dir, '../..'),
  embeddedOnly: process.argv.includes('--embedded'),
  updateTimings: process.argv.includes('--update-timings'),
  print: (line) => console.log(line),
  ending: () => ending,
}).catch(async (error: unknown) => {
  if (ending) await ending;
  console.log(error instanceof Error ? error.message : error);
  return { passed: 0, failed: 1 };
});
await guard.close();

console.log(`${((performance.now() - started) / 1000).toFixed(0)} s in all`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);
