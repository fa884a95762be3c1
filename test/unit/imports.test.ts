import { describe, expect, test } from 'bun:test';
import { posix } from 'node:path';
import { readText, repository } from '../support/repository.ts';

/** From the ground up: what stands in a line imports from the lines before it, and nothing from beside it. */
const storeys = [
  ['shared'],
  ['client'],
  ['web'],
  ['db'],
  ['process'],
  ['changes'],
  ['adapters', 'auth', 'chat'],
  ['api', 'worker', 'gateway'],
  ['entries'],
  ['commands'],
  ['harness'],
  ['bench', 'torture'],
  ['test'],
];

type Graph = ReadonlyMap<string, readonly string[]>;

const folderOf = (file: string): string =>
  /^src\/([^/]+)\//.exec(file)?.[1] ?? (file.startsWith('src/') ? 'entries' : (file.split('/')[0] ?? ''));
const storeyOf = (file: string): number => storeys.findIndex((folders) => folders.includes(folderOf(file)));

/** Imports that go up or sideways, and files that stand nowhere. */
function misdirected(graph: Graph): string[] {
  return [...graph].flatMap(([file, imports]) => {
    if (storeyOf(file) < 0) return `${file} is in no storey`;
    const wrong = imports.filter((to) => folderOf(to) !== folderOf(file) && storeyOf(to) >= storeyOf(file));
    return wrong.map((to) => `${file} imports ${to}`);
  });
}

/** One way round, where there is one. */
function circle(graph: Graph): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  function from(file: string): string[] {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const to of graph.get(file) ?? []) {
      const found = from(to);
      if (found.length > 0) return found;
    }
    path.pop();
    done.add(file);
    return [];
  }
  for (const file of graph.keys()) {
    const found = from(file);
    if (found.length > 0) return found;
  }
  return [];
}

/** Types count, and what is loaded later. */
async function importsOf(file: string): Promise<string[]> {
  const text = await readText(file);
  return [...text.matchAll(/(?:\bfrom|^import|\bimport\()\s*'(\.[^']+\.tsx?)'/gm)].map(([, path = '']) =>
    posix.join(posix.dirname(file), path),
  );
}

async function readGraph(): Promise<Graph> {
  const glob = new Bun.Glob('{src,client,web,harness,bench,torture,test}/**/*.{ts,tsx}');
  const found = await Array.fromAsync(glob.scan({ cwd: repository }));
  const files = found.map((file) => file.replaceAll('\\', '/'));
  return new Map(await Promise.all(files.map(async (file) => [file, await importsOf(file)] as const)));
}

describe('the program', async () => {
  const graph = await readGraph();

  test('is read whole', () => {
    expect(graph.get('src/commands/start.ts')).toEqual(['src/standalone.ts']);
    expect(graph.get('src/adapters/adapters.ts')).toEqual(
      ['ground', 'embedded', 'servers'].map((name) => `src/adapters/${name}.ts`),
    );
  });
  test('imports downwards only', () => expect(misdirected(graph)).toEqual([]));
  test('has no two files that need each other', () => expect(circle(graph)).toEqual([]));
});

describe('it is found', () => {
  const graph = (imports: Record<string, string[]>): Graph => new Map(Object.entries(imports));

  test.each([
    ['an import upwards', 'src/shared/ids.ts', 'src/db/database.ts'],
    ['one of another front', 'src/gateway/connect.ts', 'src/api/answer.ts'],
    ['one of another back', 'src/chat/send.ts', 'src/adapters/redis/client.ts'],
    ['one of an entry', 'src/process/run.ts', 'src/api.ts'],
    ['one of what is beside the product', 'src/commands/dlq.ts', 'torture/main.ts'],
  ])('%s', (_, from, to) => {
    expect(misdirected(graph({ [from]: [to], [to]: [] }))).toEqual([`${from} imports ${to}`]);
  });

  test('a new folder without a storey', () => {
    expect(misdirected(graph({ 'src/helpers/a.ts': [] }))).toEqual(['src/helpers/a.ts is in no storey']);
  });

  test('a circle of two, of three, of a file with itself', () => {
    expect(circle(graph({ a: ['b'], b: ['a'] }))).toEqual(['a', 'b', 'a']);
    expect(circle(graph({ z: ['a'], a: ['b', 'd'], b: ['c'], c: ['a'], d: [] }))).toEqual([
      'a',
      'b',
      'c',
      'a',
    ]);
    expect(circle(graph({ a: ['a'] }))).toEqual(['a', 'a']);
    expect(circle(graph({ a: ['b', 'c'], b: ['c'], c: [] }))).toEqual([]);
  });
});
