/** Writes `dist/`: plain ESM, each file's declarations beside it, and those of the contract among them. */

import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';

const at = (...path: string[]) => join(import.meta.dir, ...path);
await rm(at('dist'), { recursive: true, force: true });
await Bun.build({
  entrypoints: ['index.ts', 'indexed-db.ts', 'react/index.ts'].map((entry) => at('src', entry)),
  root: at('src'),
  outdir: at('dist'),
  target: 'browser',
  packages: 'external',
  splitting: true,
});
const tsc = Bun.spawnSync([process.execPath, '--bun', 'tsc', '-p', at('tsconfig.build.json')], {
  stdout: 'inherit',
  stderr: 'inherit',
});
if (tsc.exitCode !== 0) process.exit(1);
await cp(at('dist/d/client/src'), at('dist'), { recursive: true });
await cp(at('dist/d/src/shared/contract.d.ts'), at('dist/contract.d.ts'));
await rm(at('dist/d'), { recursive: true });
