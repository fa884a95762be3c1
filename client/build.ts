/** `dist/`, which is what is published: plain ESM, and declarations that need nothing of the server's. */

import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const here = import.meta.dirname;
const repository = dirname(here);
const dist = join(here, 'dist');
const entries = ['index.ts', 'indexed-db.ts', 'react/index.ts', 'react/index.tsx'].filter((entry) =>
  existsSync(join(here, 'src', entry)),
);

await rm(dist, { recursive: true, force: true });
const { logs, success } = await Bun.build({
  entrypoints: entries.map((entry) => join(here, 'src', entry)),
  root: join(here, 'src'),
  outdir: dist,
  target: 'browser',
  format: 'esm',
  splitting: true,
  packages: 'external',
});
if (!success) throw new AggregateError(logs, 'The client does not build.');

// From the repository's folder, so that the contract, which lies outside, has its place beside.
const made = await mkdtemp(join(tmpdir(), 'confab-client-'));
try {
  const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--rootDir', repository];
  const config = join(made, 'tsconfig.json');
  await writeFile(
    config,
    JSON.stringify({
      extends: join(repository, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(repository, 'node_modules/@types')], paths: {} },
      include: [],
      files: entries.map((entry) => join(here, 'src', entry)),
    }),
  );
  const tsc = Bun.spawnSync(
    [process.execPath, 'run', '--bun', 'tsc', '-p', config, ...options, '--outDir', join(made, 'types')],
    { cwd: repository, stdout: 'inherit', stderr: 'inherit' },
  );
  if (tsc.exitCode !== 0) throw new Error('The declarations are not made.');
  await cp(join(made, 'types/client/src'), dist, { recursive: true });
  await cp(join(made, 'types/src/shared/contract.d.ts'), join(dist, 'contract.d.ts'));
  // As whoever compiles without `allowImportingTsExtensions` expects them.
  for await (const file of new Bun.Glob('**/*.d.ts').scan(dist)) {
    const text = await readFile(join(dist, file), 'utf8');
    await writeFile(join(dist, file), text.replace(/(from '\.[^']*)\.tsx?'/g, "$1.js'"));
  }
} finally {
  await rm(made, { recursive: true, force: true });
}
