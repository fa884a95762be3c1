import { expect, test } from 'bun:test';
import { cp, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
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

async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn([process.execPath, ...command], { cwd: image, stdout: 'pipe', stderr: 'pipe' });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  return out + err;
}

test('the packages of the image are those that the program runs on: no compiler, nothing of development', async () => {
  const dockerfile = await readText('Dockerfile');
  const installs = [...dockerfile.matchAll(/^RUN bun (install .+)$/gm)].map(([, line]) => String(line));
  expect(installs).toHaveLength(1);
  await mkdir(image);
  // What .dockerignore lets in.
  const ignored = (await readText('.dockerignore')).matchAll(/^!(.+)$/gm);
  for (const [, name = ''] of ignored)
    await cp(join(repository, name), join(image, name), { recursive: true });
  await run(...String(installs[0]).split(' '));

  const packages = await readdir(join(image, 'node_modules'));
  for (const none of ['typescript', '@typescript', 'esbuild', 'bun-types', 'drizzle-kit', '@biomejs', 'knip'])
    expect(packages).not.toContain(none);
  const { dependencies } = JSON.parse(await readText('package.json')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies))
    expect(await Bun.file(join(image, 'node_modules', name, 'package.json')).exists(), name).toBe(true);
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
