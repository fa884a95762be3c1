import { beforeAll, expect, test } from 'bun:test';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../../src/commands/servers/finished.ts';
import { testProcesses } from '../support/processes.ts';
import { readText, repository } from '../support/repository.ts';

const processes = testProcesses();
const folder = await processes.folder();
const app = join(folder, 'app');

const run = (cwd: string, ...command: string[]): Promise<string> =>
  output([process.execPath, ...command], { cwd });

interface Package {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}

const readPackage = async (path: string) => JSON.parse(await readText(path)) as Package;

/** An app of somebody else's, as Vite makes them, with the packed package installed. */
beforeAll(async () => {
  const source = join(repository, 'client');
  // As `prepack` does, without asking for a `bun` that may be called otherwise here.
  await run(source, 'build.ts');
  await run(source, 'pm', 'pack', '--ignore-scripts', '--destination', folder);
  const [root, client] = await Promise.all(['package.json', 'client/package.json'].map(readPackage));
  const pick = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, root!.devDependencies[name]!]));
  const tarball = `../confab-client-${client!.version}.tgz`;
  const wanted = {
    name: 'app',
    dependencies: { '@confab/client': `file:${tarball}`, ...pick('react', 'react-dom') },
    devDependencies: pick('@types/react', '@types/react-dom', 'typescript', 'vite'),
  };
  await cp(join(repository, 'examples/react'), app, { recursive: true });
  await writeJson('package.json', { ...wanted, private: true, type: 'module' });
  await writeJson('tsconfig.json', { compilerOptions, include: ['.'] });
  await Bun.write(join(app, 'metadata.ts'), metadata);
  const [, shown] = /```tsx\n([\s\S]*?)```/.exec(await readText('client/README.md')) ?? [];
  await Bun.write(join(app, 'readme.tsx'), `${shown}\ndeclare const myToken: () => string;\n`);

  // All else is in the repository's lock file: so it comes from the cache, and no registry is asked.
  const lock = Bun.JSONC.parse(await readText('bun.lock')) as {
    lockfileVersion: number;
    packages: Record<string, unknown[]>;
  };
  const integrity = new Bun.CryptoHasher('sha512').update(await Bun.file(join(app, tarball)).bytes());
  const { dependencies, peerDependencies } = client!;
  lock.packages['@confab/client'] = [
    `@confab/client@${tarball}`,
    { dependencies, peerDependencies, optionalPeers: Object.keys(peerDependencies) },
    `sha512-${integrity.digest('base64')}`,
  ];
  const { lockfileVersion, packages } = lock;
  await writeJson('bun.lock', { lockfileVersion, workspaces: { '': wanted }, packages });
  await run(app, 'install', '--offline');
}, 60_000);

const writeJson = (name: string, content: object) => Bun.write(join(app, name), JSON.stringify(content));

/** Those of `npm create vite`, for React. */
const compilerOptions = {
  target: 'es2023',
  lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  module: 'ESNext',
  types: ['vite/client'],
  skipLibCheck: true,
  moduleResolution: 'bundler',
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  moduleDetection: 'force',
  noEmit: true,
  jsx: 'react-jsx',
  strict: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  erasableSyntaxOnly: true,
  noFallthroughCasesInSwitch: true,
};

/** Fields of the host's own, named by merging, without a type argument anywhere. */
const metadata = `import type { ChatHandle, ChatMessage } from '@confab/client';
import { useMessages } from '@confab/client/react';

declare module '@confab/client' {
  interface MessageMetadata {
    orderId?: string;
  }
}

export const orderOf = (message: ChatMessage): string | undefined => message.metadata?.orderId;
export const useOrders = (chatId: string): (string | undefined)[] => useMessages(chatId).items.map(orderOf);
export const sendOrder = (chat: ChatHandle) => chat.send({ content: 'An order', metadata: { orderId: '7' } });
// @ts-expect-error: it is a string
export const sendWrong = (chat: ChatHandle) => chat.send({ content: 'An order', metadata: { orderId: 7 } });
`;

test('the example, what its README shows, and metadata named by merging compile in an app of others', async () => {
  await run(app, '--bun', 'node_modules/typescript/bin/tsc');
});

test('it is small', async () => {
  const gzippedBytes = async (entry: string): Promise<number> => {
    const entrypoints = [join(app, 'node_modules/@confab/client/dist', entry)];
    const external = ['socket.io-client', 'react'];
    const { outputs } = await Bun.build({ entrypoints, external, minify: true, target: 'browser' });
    return Bun.gzipSync(await outputs[0]!.arrayBuffer(), { level: 9 }).byteLength;
  };
  const [client, hooks] = await Promise.all(['index.js', 'react/index.js'].map(gzippedBytes));
  console.log(`gzipped: the client ${client} bytes, the hooks ${hooks}`);
  expect(client).toBeLessThanOrEqual(16.4 * 1_024);
  expect(hooks).toBeLessThanOrEqual(1.25 * 1_024);
});

test('without a bundler it runs, and compiles as Node resolves modules', async () => {
  await Bun.write(
    join(app, 'node/program.mts'),
    `import { ConfabError, createClient, foldChat, noChat } from '@confab/client';
const client = createClient({ url: 'http://localhost:1', getToken: () => undefined });
console.log(client.status.getSnapshot().state, foldChat(noChat('c', 'me'), { kind: 'reset' }).item, ConfabError.name);
`,
  );
  const options = { module: 'nodenext', target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true };
  await writeJson('node/tsconfig.json', { compilerOptions: { ...options, noEmit: true }, include: ['.'] });
  await run(app, '--bun', 'node_modules/typescript/bin/tsc', '-p', 'node');
  expect(await run(app, 'node/program.mts')).toBe('idle undefined ConfabError\n');
});

test('Vite builds it', async () => {
  await run(app, '--bun', 'node_modules/vite/bin/vite.js', 'build');
  const built = await readdir(join(app, 'dist/assets'));
  expect(built).toEqual([expect.stringMatching(/\.js$/)]);
});
