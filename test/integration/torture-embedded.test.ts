import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGuard } from '../../src/commands/servers/guard.ts';
import { judgeEmbedded } from '../../torture/embedded-judge.ts';
import type { EmbeddedReport } from '../../torture/embedded-report.ts';
import { runEmbedded } from '../../torture/embedded-run.ts';
import { copyProgram } from '../../torture/program.ts';

const repository = join(import.meta.dir, '../..');

const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const each of undo.reverse()) await each();
});

test('six kills -9, two of them in the first boot, break no promise', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'confab-embedded-report-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'report.json');
  const line = `--no-env-file torture/main.ts --embedded --kills 6 --seed 1 --report ${file}`;
  const run = Bun.spawn([process.execPath, ...line.split(' ')], {
    cwd: repository,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  undo.push(() => run.kill());
  const [code, output] = await Promise.all([run.exited, new Response(run.stdout).text()]);
  if (code !== 0) console.log(output);
  expect(code).toBe(0);

  const report: EmbeddedReport = await Bun.file(file).json();
  const violations = Object.fromEntries(report.verdicts.map((each) => [each.invariant, each.violations]));
  expect(violations).toEqual({
    I1: 0,
    I2: 0,
    I3: 0,
    I4: 0,
    I5: 0,
    I6: 0,
    I8: 0,
    I11: 0,
    I12: 0,
    E1: 0,
    E2: 0,
  });
  expect(report.kills.all).toBe(6);
  expect(report.kills.firstBoot).toBe(2);
  expect(report.kills.incomplete).toBeGreaterThanOrEqual(1);
  expect(report.kills.load).toBeGreaterThanOrEqual(2);
  // What was sent while nobody answered was sent again, and clients came back with their cursors.
  expect(report.figures.unanswered).toBeGreaterThan(0);
  expect(report.figures.resumes).toBeGreaterThan(9);
  expect(report.figures.accepted).toBeGreaterThan(100);
  expect(report.figures.messagesChanged).toBeGreaterThan(20);
  expect(report.figures.membershipsTold).toBeGreaterThan(50);
  expect(report.figures.quotesTold).toBeGreaterThan(0);
  expect(report.figures.mentionsTold).toBeGreaterThan(0);
}, 400_000);

test('with a 202 before the message is stored, it says which messages were lost', async () => {
  const guard = createGuard();
  undo.push(guard.close);
  const folder = await guard.temporaryFolder('confab-embedded-mutant-');
  const root = await copyProgram(repository, folder);
  const file = join(root, 'src/adapters/embedded/send-queue.ts');
  let text = await Bun.file(file).text();
  for (const [from, to] of [
    ['    await Promise.resolve();\n', '    await new Promise((resolve) => setTimeout(resolve, 1_000));\n'],
    [
      '      return withDeadline(promise,',
      '      promise.catch(() => {});\n      resolve();\n      return withDeadline(promise,',
    ],
  ] as const) {
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`);
    text = text.replace(from, to);
  }
  await Bun.write(file, text);

  const result = await runEmbedded({
    ...{ guard, folder, root },
    seed: 1,
    // Some meet it before it has accepted anything.
    kills: 6,
    settleDeadlineMs: 3_000,
    messagesASecond: 100,
    print: () => {},
  });
  const lost = judgeEmbedded(result).find(({ invariant }) => invariant === 'I1');
  expect(Object.keys(lost?.kinds ?? {})).toEqual(['lost']);
  expect(lost?.first?.what).toContain('was answered 202 and is neither a row nor a dead letter');
}, 400_000);
