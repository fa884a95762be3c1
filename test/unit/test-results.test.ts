import { describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planTests } from '../command/groups.ts';
import { countResults } from '../command/results.ts';
import { cleanEnvironment, testCommand } from '../command/steps.ts';

const passing = `import { test } from 'bun:test'; test('one', () => {}); test('two', () => {});`;

/** Runs `bun test` as the test command does, on files made for it. */
async function runFiles(sources: Record<string, string>, given: { lanes?: number; timeoutMs?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'confab-results-'));
  try {
    for (const [name, source] of Object.entries(sources)) await writeFile(join(folder, name), source);
    const reportFile = join(folder, 'report.xml');
    const files = Object.keys(sources);
    const run = Bun.spawn(testCommand({ files, reportFile, lanes: 1, ...given }), {
      cwd: folder,
      env: { ...process.env, CI: 'true' },
      stdout: 'ignore',
      stderr: 'ignore',
    });
    const exitCode = await run.exited;
    const report = await Bun.file(reportFile)
      .text()
      .catch(() => undefined);
    return countResults({ report, exitCode, files });
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.each([1, 2])('in %d lanes', (lanes) => {
  const run = (sources: Record<string, string>, timeoutMs?: number) =>
    runFiles(sources, { lanes, ...(timeoutMs === undefined ? {} : { timeoutMs }) });

  test.concurrent('counts what passed', async () => {
    expect(await run({ 'a.test.ts': passing, 'b.test.ts': passing })).toEqual({
      passed: 4,
      failed: 0,
      complaints: [],
    });
  });

  test.concurrent('counts what failed', async () => {
    const failing = `import { test } from 'bun:test'; test('no', () => { throw new Error('no'); });`;
    expect(await run({ 'a.test.ts': passing, 'b.test.ts': failing })).toMatchObject({
      passed: 2,
      failed: 1,
    });
  });

  test.concurrent('a file that does not load is a failure', async () => {
    const result = await run({ 'a.test.ts': passing, 'b.test.ts': `throw new Error('no');` });
    expect(result).toEqual({ passed: 2, failed: 1, complaints: ['b.test.ts ran no test'] });
  });

  test.concurrent('a file without tests is a failure', async () => {
    const result = await run({ 'a.test.ts': passing, 'b.test.ts': '' });
    expect(result).toEqual({ passed: 2, failed: 1, complaints: ['b.test.ts ran no test'] });
  });

  test.concurrent('a file that ends its process is a failure', async () => {
    const ending = `import { test } from 'bun:test'; test('a', () => { process.exit(0); });`;
    expect(await run({ 'a.test.ts': ending, 'b.test.ts': passing })).not.toMatchObject({ failed: 0 });
  });

  test.concurrent('skipped and open tests are failures', async () => {
    const skipping = `import { test } from 'bun:test'; test('a', () => {}); test.skip('b', () => {}); test.todo('c');`;
    expect(await run({ 'a.test.ts': skipping })).toMatchObject({ passed: 1, failed: 2 });
  });

  test.concurrent('test.only, which hides the others, is a failure', async () => {
    const only = `import { test } from 'bun:test'; test('a', () => {}); test.only('b', () => {});`;
    const { passed, failed } = await run({ 'a.test.ts': only });
    expect({ passed, failed: failed > 0 }).toEqual({ passed: 0, failed: true });
  });

  test.concurrent('the timeout is that of every file', async () => {
    const slow = `import { test } from 'bun:test'; test('slow', () => Bun.sleep(1_000));`;
    const result = await run({ 'a.test.ts': slow, 'b.test.ts': slow, 'c.test.ts': slow }, 50);
    expect(result).toEqual({ passed: 0, failed: 3, complaints: [] });
  });
});

test('a failing exit status without a failed test is a failure', () => {
  const report =
    '<testsuites tests="1" failures="0" skipped="0"><testsuite file="test/unit/a.test.ts" tests="1"></testsuite>';
  expect(countResults({ report, exitCode: 133, files: ['test/unit/a.test.ts'] })).toMatchObject({
    passed: 1,
    failed: 1,
  });
});

test('no report at all is a failure', () => {
  expect(countResults({ report: undefined, exitCode: 1, files: ['test/unit/a.test.ts'] })).toMatchObject({
    passed: 0,
    failed: 1,
  });
});

const files = [
  'test/integration/fan-out.servers.test.ts',
  'test/integration/send.test.ts',
  'test/unit/ids.test.ts',
  'test/conformance/queue-rabbitmq.servers.test.ts',
  'test/conformance/queue-embedded.test.ts',
  'test/integration/torture-embedded.test.ts',
  'test/integration/torture-mutants.servers.test.ts',
  'test/integration/torture.servers.test.ts',
  'test/integration/web-client.servers.test.ts',
  'test/elsewhere.test.ts',
];

test('every file is in one group, and groups come in order', () => {
  expect(planTests(files, false)).toEqual({
    groups: [
      { name: 'unit', files: ['test/unit/ids.test.ts'], needsServers: false, lanes: 2 },
      {
        name: 'conformance',
        files: ['test/conformance/queue-embedded.test.ts', 'test/conformance/queue-rabbitmq.servers.test.ts'],
        needsServers: true,
        lanes: 3,
      },
      {
        name: 'integration, embedded',
        files: ['test/integration/send.test.ts'],
        needsServers: false,
        lanes: 3,
      },
      {
        name: 'browser',
        files: ['test/integration/web-client.servers.test.ts'],
        needsServers: true,
        lanes: 1,
      },
      {
        name: 'integration, three processes',
        files: ['test/integration/fan-out.servers.test.ts'],
        needsServers: true,
        lanes: 2,
      },
      {
        name: 'torture',
        files: ['test/integration/torture.servers.test.ts'],
        needsServers: true,
        lanes: 1,
      },
      {
        name: 'torture, small',
        files: [
          'test/integration/torture-embedded.test.ts',
          'test/integration/torture-mutants.servers.test.ts',
        ],
        needsServers: true,
        lanes: 3,
      },
      { name: 'others', files: ['test/elsewhere.test.ts'], needsServers: false, lanes: 1 },
    ],
    leftOut: [],
  });
});

test('without servers, the files that need them are named as left out', () => {
  const { groups, leftOut } = planTests(files, true);
  expect(groups.some((group) => group.needsServers)).toBe(false);
  expect(leftOut).toEqual([
    'test/conformance/queue-rabbitmq.servers.test.ts',
    'test/integration/fan-out.servers.test.ts',
    'test/integration/torture-mutants.servers.test.ts',
    'test/integration/torture.servers.test.ts',
    'test/integration/web-client.servers.test.ts',
  ]);
});

test("a developer's own settings do not reach the tests", () => {
  const env = { PATH: '/bin', DATABASE_URL: 'postgres://mine', JWT_SECRET: 'mine' };
  expect(cleanEnvironment(env, '# comment\nDATABASE_URL=postgres://x\n# JWT_SECRET=\n')).toEqual({
    PATH: '/bin',
    CI: 'true',
  });
});
