import { expect, test } from 'bun:test';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testProcesses } from '../support/processes.ts';
import { repository } from '../support/repository.ts';

const processes = testProcesses();

/** What a program is sent that uses it, but for Socket.IO. */
async function gzippedBytes(entry: string): Promise<number> {
  const { outputs } = await Bun.build({
    entrypoints: [join(repository, entry)],
    target: 'browser',
    format: 'esm',
    minify: true,
    external: ['socket.io-client', 'idb', 'react'],
  });
  const [output] = outputs;
  return Bun.gzipSync(await output!.arrayBuffer(), { level: 9 }).byteLength;
}

test('it is small', async () => {
  expect(await gzippedBytes('client/src/index.ts')).toBeLessThanOrEqual(16 * 1_024);
});

test('what is published compiles in a program of its own, with names for metadata, and runs', async () => {
  const folder = await processes.folder();
  const run = async (cwd: string, ...command: string[]) => {
    const child = Bun.spawn([process.execPath, ...command], {
      ...{ cwd, stdout: 'pipe', stderr: 'pipe' },
      env: { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env.PATH}` },
    });
    const [code, out, err] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect({ code, out: code === 0 ? '' : out + err }).toEqual({ code: 0, out: '' });
    return out;
  };
  const client = join(repository, 'client');
  await run(client, 'build.ts');
  await run(client, 'pm', 'pack', '--ignore-scripts', '--destination', folder);
  const modules = join(folder, 'node_modules');
  const installed = join(modules, '@confab/client');
  await mkdir(installed, { recursive: true });
  const [archive = ''] = [...new Bun.Glob('*.tgz').scanSync(folder)];
  const unpacked = Bun.spawnSync([
    'tar',
    '-xzf',
    join(folder, archive),
    '-C',
    installed,
    '--strip-components=1',
  ]);
  expect(unpacked.exitCode).toBe(0);
  for (const name of ['socket.io-client', 'idb', 'typescript'])
    await symlink(join(repository, 'node_modules', name), join(modules, name));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(folder, 'app.ts'),
    `import { ConfabError, createClient, foldChat, noChat, type ChatMessage } from '@confab/client';
declare module '@confab/client' { interface MessageMetadata { orderId?: number } }
export const client = createClient({ url: 'http://localhost:1', getToken: () => undefined });
export const orderOf = (message: ChatMessage): number | undefined => message.metadata?.orderId;
client.chat('c').send({ content: 'text', metadata: { orderId: 7 } });
console.log(client.status.getSnapshot().state, foldChat(noChat('c', 'me'), { kind: 'gone' }).item, ConfabError.name);
`,
  );
  const config = {
    compilerOptions: {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2022', 'dom'],
      types: [],
    },
    files: ['app.ts'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await run(folder, '--bun', join(repository, 'node_modules/typescript/bin/tsc'), '-p', folder);
  expect(await run(folder, 'app.ts')).toBe('idle undefined ConfabError\n');
}, 30_000);
