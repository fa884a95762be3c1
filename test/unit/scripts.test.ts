import { expect, test } from 'bun:test';
import { readText, repository } from '../support/repository.ts';

const { scripts } = JSON.parse(await readText('package.json')) as { scripts: Record<string, string> };
const isPre = (name: string) => name.startsWith('pre') && name.slice(3) in scripts;

test('each command installs what it needs first, so that all of them work on a fresh clone', () => {
  const commands = Object.keys(scripts).filter((name) => !isPre(name));
  expect(commands.length).toBeGreaterThan(10);
  const without = commands.filter(
    (name) => !scripts[`pre${name}`]?.startsWith('bun install --frozen-lockfile'),
  );
  expect(without).toEqual([]);
});

test('no command needs a shell: each is one program with its arguments', () => {
  for (const [name, command] of Object.entries(scripts))
    expect({ [name]: command }).toEqual({ [name]: expect.stringMatching(/^bun [\w\s./-]+$/) });
});

test('what the program tells people to run is there', async () => {
  const told = new Set<string>();
  for await (const path of new Bun.Glob('src/**/*.ts').scan({ cwd: repository }))
    for (const [, name = ''] of (await readText(path)).matchAll(/\bbun run ([a-z][a-z:]*)/g)) told.add(name);
  expect(told.size).toBeGreaterThan(10);
  expect([...told].filter((name) => name !== 'x' && !(name in scripts))).toEqual([]);
});
