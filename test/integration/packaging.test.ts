import { expect, test } from 'bun:test';
import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { output } from '../../src/commands/servers/finished.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { readText, repository } from '../support/repository.ts';

const processes = testProcesses();
const image = join(await processes.folder(), 'image');
const entries = [
  'src/api.ts',
  'src/worker.ts',
  'src/gateway.ts',
  'src/standalone.ts',
  'src/commands/migrate.ts',
];

const run = (...command: string[]): Promise<string> => output([process.execPath, ...command], { cwd: image });

/** One stage of the Dockerfile: what it copies from here, into a folder. */
async function copyStage(stage: string, folder: string): Promise<void> {
  const copies = [...stage.matchAll(/^COPY (?!--from)(.+)$/gm)].map(([, line = '']) => line.split(' '));
  expect(copies.length).toBeGreaterThan(2);
  for (const words of copies) {
    const to = words.pop() ?? '';
    for (const name of words) {
      const target = to.endsWith('/') ? join(folder, to, basename(name)) : join(folder, to);
      expect(allowed, name).toContain(name.split('/')[0] ?? '');
      await cp(join(repository, name), target, {
        recursive: true,
        filter: (path) => !path.includes('node_modules'),
      });
    }
  }
}
const allowed = [...(await readText('.dockerignore')).matchAll(/^!(.+)$/gm)].map(([, name]) => name);

test('the packages of the image are those that the program runs on: no compiler, nothing of development, 100 MB at most', async () => {
  const dockerfile = await readText('Dockerfile');
  const installs = [...dockerfile.matchAll(/^RUN bun (install .+)$/gm)].map(([, line]) => String(line));
  expect(installs).toHaveLength(1);
  const [, dependencies = '', final = '', ...more] = dockerfile.split(/^FROM .*$/m);
  expect(more).toEqual([]);
  await mkdir(image);
  await copyStage(dependencies, image);
  await run(...String(installs[0]).split(' '));
  const removal = /^RUN (find .+)$/m.exec(dependencies)?.[1];
  expect(await Bun.$`sh -c ${removal}`.cwd(image).quiet()).toMatchObject({ exitCode: 0 });
  const installed = join(await processes.folder(), 'installed');
  await rename(join(image, 'node_modules'), installed);
  await rm(image, { recursive: true });
  await copyStage(final, image);
  expect(final).toContain('COPY --from=dependencies /app/node_modules ./node_modules\n');
  await rename(installed, join(image, 'node_modules'));

  const packages = await readdir(join(image, 'node_modules'));
  for (const none of ['typescript', '@typescript', 'esbuild', 'bun-types', 'drizzle-kit', '@biomejs', 'knip'])
    expect(packages).not.toContain(none);
  const { dependencies: needed } = JSON.parse(await readText('package.json')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(needed))
    expect(await Bun.file(join(image, 'node_modules', name, 'package.json')).exists(), name).toBe(true);

  const files = await readdir(join(image, 'node_modules'), { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map(async ({ parentPath, name }) => {
        const { size } = await stat(join(parentPath, name));
        // As a disk has it.
        return Math.ceil(size / 4096) * 4096;
      }),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100e6);
  expect(
    await Array.fromAsync(new Bun.Glob('{test,bench,torture,harness,docs}/**').scan({ cwd: image })),
  ).toEqual([]);
}, 60_000);

test('each process of the image starts, up to what its environment has to say', async () => {
  const commands = [
    ...['src/api.ts', 'src/worker.ts', 'src/commands/worker.ts', 'src/gateway.ts', 'src/commands/migrate.ts'],
    'src/commands/dlq.ts list',
  ];
  const starts = commands.map(async (command) => {
    const child = Bun.spawn([process.execPath, ...command.split(' ')], {
      cwd: image,
      env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', PORT: 'none' },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    return { command, code: await child.exited, says: await new Response(child.stderr).text() };
  });
  for (const { command, code, says } of await Promise.all(starts))
    expect({ command, code, says }).toEqual({
      command,
      code: 1,
      says: expect.stringContaining('PORT must be'),
    });
}, 60_000);

test('each entry is all there with these packages', async () => {
  for (const entry of entries) await run('build', entry, '--target=bun', '--outdir', 'built');
}, 60_000);

test('compiled to one file it needs none of them, and nothing else', async () => {
  await run('build', '--compile', 'src/standalone.ts', '--outfile', 'confab');
  const elsewhere = join(await processes.folder(), 'elsewhere');
  await mkdir(elsewhere);
  await rename(join(image, 'confab'), join(elsewhere, 'confab'));
  await rename(image, `${image}-gone`);

  const port = String(await freePort());
  const confab = processes.program(join(elsewhere, 'confab'), {
    PORT: port,
    DATA_DIR: join(elsewhere, 'data'),
  });
  await untilSays(confab, 'Confab is up');
  const url = `http://localhost:${port}`;
  const ada = await newPerson({ apiUrl: url, socketUrl: url });
  const chat = await ada.newChat();
  await ada.send(chat.id, 'from one file');
  for (const path of [
    ...['/documentation', '/documentation/swagger-ui-bundle.js', '/openapi.json'],
    ...['/', '/web/main.js', '/web/style.css'],
  ])
    expect((await fetch(`${url}${path}`)).status, path).toBe(200);
  confab.signal('SIGTERM');
  expect(await confab.exited).toBe(0);
}, 60_000);
