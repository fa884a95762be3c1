import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { errorTable } from '../../src/shared/errors.ts';
import { createLog } from '../../src/shared/log.ts';
import { processMetrics } from '../../src/shared/metrics/process-metrics.ts';
import { metricTable } from '../../src/shared/metrics/table.ts';
import { createTestApi } from '../support/api.ts';
import { readKong } from '../support/kong.ts';
import { parseEnvironment, readText, repository } from '../support/repository.ts';

const documents = new Map<string, string>();
for (const pattern of ['*.md', 'docs/**/*.md'])
  for await (const path of new Bun.Glob(pattern).scan({ cwd: repository }))
    documents.set(path.replaceAll('\\', '/'), await readText(path));
const document = (path: string): string => {
  const text = documents.get(path);
  if (text === undefined) throw new Error(`${path} is not there`);
  return text;
};

/** Every first group of a match, without repeats. */
const all = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? '')),
];

/** The text below a `##` heading, to the next one. */
const section = (text: string, heading: string): string =>
  text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';

/** As GitHub makes an anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[`*]/g, '')
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const withoutCode = (text: string): string => text.replace(/```[\s\S]*?```/g, '');
const headings = (text: string): string[] => all(withoutCode(text), /^#{1,6} (.+)$/gm).map(anchor);

describe.each([...documents])('%s', (path, text) => {
  test('links to what is there', () => {
    const links = all(withoutCode(text), /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
    const broken = links.filter((link) => {
      const [file = '', fragment] = link.split('#');
      const target = file === '' ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(repository, target))) return true;
      return fragment !== undefined && !headings(documents.get(target) ?? '').includes(fragment);
    });
    expect(broken).toEqual([]);
  });

  test('names only commands that exist', async () => {
    const { scripts } = JSON.parse(await readText('package.json')) as { scripts: Record<string, string> };
    const named = all(text, /\bbun(?:@[\d.]+)? run ([a-z][a-z:-]*)/g).filter((name) => name !== 'x');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('names only services and routes that Kong has', async () => {
    const kong = await readKong('kong.jwt.yml');
    const known = kong.services.flatMap((service) => [
      service.name,
      ...service.routes.map(({ name }) => name),
    ]);
    const named = all(text, /\b([a-z]+(?:-[a-z]+)*-(?:route|service))\b/g);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('gives variables the defaults that they have', async () => {
    const defaults = parseEnvironment(await readText('.env.example'));
    const blocks = all(text, /```env\n([\s\S]*?)```/g);
    for (const block of blocks) expect(defaults).toMatchObject(parseEnvironment(block));
  });
});

test('the picture of the folders and the walk of a message name files that are there, twelve at most', async () => {
  const text = document('docs/architecture.md');
  const [, picture = ''] = section(text, 'Layout').match(/```([\s\S]*?)```/) ?? [];
  const [walk = ''] = section(text, 'The way of a message').split('\n### ');
  const paths = await Array.fromAsync(new Bun.Glob('src/**/*.ts').scan({ cwd: repository }));
  const names = new Set(paths.map((path) => path.split(/[\\/]/).at(-1)));
  for (const named of [all(picture, /([\w-]+\.ts)\b/g), all(walk, /([\w-]+\.ts)\b/g)]) {
    expect(named.filter((name) => !names.has(name))).toEqual([]);
    expect(named.length).toBeWithin(8, 13);
  }
});

test('comments link to what is there', async () => {
  const broken: string[] = [];
  for await (const path of new Bun.Glob('{src,harness,bench,torture,test}/**/*.ts').scan({
    cwd: repository,
  })) {
    const links = all(await readText(path), /^ *(?:\/\*)?\*.*\]\((\.[^)#\s]+)/gm);
    broken.push(...links.filter((link) => !existsSync(join(repository, dirname(path), link))));
  }
  expect(broken).toEqual([]);
});

test('the readme has 100 lines at most', () => {
  expect(document('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(100);
});

describe('the setup guide', () => {
  const guide = document('docs/realtime-chat-setup.md');

  test('shows the list of variables, commands and snippets that its readers build on', () => {
    expect(guide).toContain('PORT=3000 docker-compose up -d');
    for (const command of ['api', 'worker', 'gateway', 'migrate', 'checklist'])
      expect(guide).toContain(`bun run ${command}`);
    for (const part of ["path: '/socket.io'", "chatSocket.on('chat.message.new'", 'axios.create('])
      expect(guide).toContain(part);
  });

  test('shows the frontend snippets of examples/, which are tested', async () => {
    const examples = await Promise.all(
      ['kong', 'resume', 'send', 'socket'].map((name) => readText(`examples/${name}.ts`)),
    );
    const blocks = all(guide, /```ts\n([\s\S]*?)```/g);
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    expect(blocks.filter((block) => !examples.some((example) => example.includes(block)))).toEqual([]);
  });

  test('shows an excerpt of kong.yml that agrees with it', async () => {
    const excerpt = Bun.YAML.parse(all(guide, /```yaml\n([\s\S]*?)```/g)[0] ?? '');
    const { services } = await readKong('kong.yml');
    const shown = (excerpt as { services: { name: string; routes: { name: string }[] }[] }).services;
    for (const service of shown) {
      const known = services.find(({ name }) => name === service.name);
      const { routes, ...rest } = service;
      expect(known).toMatchObject(rest);
      for (const route of routes)
        expect(known?.routes.find(({ name }) => name === route.name)).toMatchObject(route);
    }
  });
});

describe('the contract', () => {
  const contract = document('docs/contract.md');

  test('has the table of codes: each with its status, none more', () => {
    const rows = [...section(contract, 'Errors').matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)];
    const listed = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]));
    const known = Object.entries(errorTable).map(([code, { status }]) => [code, status]);
    expect(listed).toEqual(Object.fromEntries(known));
  });

  test('lists the socket events, none more', async () => {
    const types = await readText('src/shared/contract.ts');
    const listed = all(section(contract, 'Socket.IO'), /^\| `(chat\.[a-z.]+)`/gm);
    expect(listed.sort()).toEqual(all(types, /^ {2}'(chat\.[a-z.]+)':/gm).sort());
  });

  test('lists the kinds of notifications, none more', async () => {
    const types = await readText('src/shared/ports/notifications.ts');
    const rows = section(contract, 'Notifications').match(/^\| `.*$/gm) ?? [];
    const listed = rows
      .map((row) => row.split('|')[1] ?? '')
      .filter((cell) => !cell.includes('kind'))
      .flatMap((cell) => all(cell, /`([a-z.]+)`/g));
    expect(listed.sort()).toEqual(all(types, /kind: '([a-z.]+)'/g).sort());
  });

  test('lists the routes that the api serves, none more', async () => {
    const never = {} as never;
    const { call } = await createTestApi({
      environment: { SERVICE_TOKEN: 'a service token that is long enough for it' },
      database: never,
      facts: never,
      notifier: never,
      chatRoutes: createChatRoutes({
        database: never,
        facts: never,
        presence: never,
        notifier: never,
        sendMessage: never,
        liveMax: never,
        maxParticipants: never,
        log: createLog({ logLevel: 'silent' }, 'test'),
      }),
    });
    const { paths } = (await (await call('GET', '/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    const cells = section(contract, 'REST').match(/^\| `[A-Z]+ .*?\|/gm) ?? [];
    const listed = cells.flatMap((cell) => all(cell, /`([A-Z]+ [^`?]+)\??[^`]*`/g));
    expect([...new Set(listed)].sort()).toEqual(served.sort());
  });
});

test('.env.example holds every variable of the program with its default, none more', async () => {
  const example = parseEnvironment(await readText('.env.example'));
  const folder = 'src/shared/config';
  const parts = await Array.fromAsync(
    new Bun.Glob('*-environment.ts').scan({ cwd: join(repository, folder) }),
  );
  const files = ['src/shared/config.ts', ...parts.map((part) => join(folder, part))];
  const source = (await Promise.all(files.map(readText))).join('\n');
  expect(Object.keys(example).sort()).toEqual(all(source, /^ {2}([A-Z][A-Z_]+): v\./gm).sort());
  // As it stands it changes nothing.
  expect(parseConfig(example)).toEqual(parseConfig({}));
  for (const [name, value] of Object.entries(example))
    expect({ [name]: parseConfig({ [name]: value }) }).toEqual({ [name]: parseConfig({}) });
  const withDefault = all(source, /^ {2}([A-Z][A-Z_]+): v\.optional\([^\n]*, '[^']*'\),$/gm);
  for (const name of withDefault) expect({ [name]: example[name] }).not.toEqual({ [name]: '' });
});

test('the operator’s list of metrics is that of the program', () => {
  const metrics = section(document('docs/operations.md'), 'Metrics');
  const labelsOf = (labels: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(labels).map(([name, values]) =>
      values.length > 0 ? `${name}=${values.join(', ')}` : name,
    );
  const rows = Object.entries(metricTable).map(([name, declared]) => {
    const labels = 'labels' in declared ? labelsOf(declared.labels).join('; ') : '';
    return `| \`${name}\` | ${declared.type} | ${labels} | ${declared.help} |`;
  });
  expect(metrics.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  const [, ofPrometheus = ''] = metrics.split('as prom-client has them:');
  expect(all(ofPrometheus, /`(\w+)`/g)).toEqual(processMetrics);
});
