import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faultKinds } from '../../torture/fault.ts';
import type { Report } from '../../torture/report.ts';

const root = join(import.meta.dir, '../..');
const timeoutMs = 400_000;

const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const each of undo.reverse()) await each();
});

test(
  'eighty seconds of every kind of fault break no promise',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'confab-torture-report-'));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'report.json');
    const run = Bun.spawn(
      [
        process.execPath,
        '--no-env-file',
        'torture/main.ts',
        '--seed',
        '1',
        '--minutes',
        '1.34',
        '--report',
        file,
      ],
      { cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
    );
    undo.push(() => run.kill());
    const [code, output] = await Promise.all([run.exited, new Response(run.stdout).text()]);
    if (code !== 0) console.log(output);
    expect(code).toBe(0);

    const report: Report = await Bun.file(file).json();
    expect(report.verdicts.map(({ violations }) => violations)).toEqual(Array(14).fill(0));
    for (const { invariant, checked } of report.verdicts) {
      // I9 is read from /proc.
      if (invariant !== 'I9' || process.platform === 'linux')
        expect([invariant, checked > 0]).toEqual([invariant, true]);
    }
    const kinds = faultKinds.filter((kind) => !report.faults.some((fault) => fault.startsWith(kind)));
    expect({ missing: kinds, wavesLeft: report.wavesLeft }).toEqual({ missing: [], wavesLeft: 0 });
    const { figures } = report;
    expect(figures.sockets).toBeGreaterThanOrEqual(300);
    expect(figures.chats).toBeGreaterThanOrEqual(50);
    expect(figures.offered / figures.loadSeconds).toBeGreaterThanOrEqual(190);
    expect(figures.resumes).toBeGreaterThan(300);
    expect(figures.settingsTold).toBeGreaterThan(100);
    expect(figures.typingTold).toBeGreaterThan(100);
    expect(figures.messagesChanged).toBeGreaterThan(300);
    expect(figures.membershipsTold).toBeGreaterThan(1_000);
    expect(figures.quotesTold).toBeGreaterThan(100);
    expect(figures.mentionsTold).toBeGreaterThan(100);
    expect(figures.mentionsEdited).toBeGreaterThan(10);
    expect(figures.rowsFilled).toBeGreaterThan(0);
    expect(report.unwantedExits).toEqual([]);
  },
  timeoutMs,
);
