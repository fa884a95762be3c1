import { expect, test } from 'bun:test';
import { readText } from '../support/repository.ts';

/** What a frontend gets by `import type { … } from 'confab/contract'`. */
const { exports } = JSON.parse(await readText('package.json')) as { exports: Record<string, unknown> };

test('the package exports the contract, as types alone', () => {
  expect(exports).toEqual({ './contract': { types: './src/shared/contract.ts' } });
});

test('the contract has no code, and needs no file of the server', async () => {
  const contract = await readText('src/shared/contract.ts');
  const { imports, exports: values } = new Bun.Transpiler({ loader: 'ts' }).scan(contract);
  expect({ imports, values }).toEqual({ imports: [], values: [] });
  expect(contract).not.toMatch(/^import|^export .* from/m);
  expect(contract).toContain('export interface ServerToClientEvents');
});
