import { join } from 'node:path';
import type { Guard } from '../../src/commands/servers/guard.ts';
import type { TestGroup } from './groups.ts';
import { type Counts, countResults } from './results.ts';

const stepDeadlineMs = 15 * 60_000;

/** Of a test that names none. Tests wait on conditions, not on time: on a machine that is busy the same condition comes later. */
export const testTimeoutMs = 20_000;

export interface StepRunner {
  /** A command that counts as one: passed when it ends with 0. */
  check(name: string, command: string[]): Promise<Counts>;
  /** One `bun test` over the group's files, with `extraEnv` handed to it. */
  tests(group: TestGroup, extraEnv: Record<string, string>): Promise<Counts>;
}

interface Options {
  guard: Guard;
  root: string;
  /** Reports and outputs go there. */
  folder: string;
  updateTimings: boolean;
  env: Record<string, string | undefined>;
  print: (line: string) => void;
  /** Once a signal is ending everything: what never comes back, so that no step is told or started after it. */
  ending: () => Promise<never> | undefined;
}

/**
 * Runs steps and prints a line for each; a failing step's output follows its line. A step runs in a process group of
 * its own, so that all it started ends with it, and is ended after 15 minutes.
 */
export function createStepRunner({
  guard,
  root,
  folder,
  updateTimings,
  env,
  print,
  ending,
}: Options): StepRunner {
  let steps = 0;

  const run = async (command: string[], stepEnv: Record<string, string | undefined>) => {
    await ending();
    const logFile = join(folder, `step-${++steps}.log`);
    const started = performance.now();
    // The lanes of a `bun test` lead groups of their own, to which it hands this signal on.
    const step = guard.spawn({ command, cwd: root, env: stepEnv, logFile, lastSignal: 'SIGTERM' });
    const deadline = setTimeout(() => void step.end('SIGTERM'), stepDeadlineMs);
    const exitCode = await step.exited;
    clearTimeout(deadline);
    await ending();
    const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    await step.end('SIGKILL');
    return { exitCode, seconds, output: () => Bun.file(logFile).text() };
  };

  return {
    async check(name, command) {
      const { exitCode, seconds, output } = await run(command, env);
      print(`${exitCode === 0 ? '✓' : '✗'} ${name}  ${seconds}`);
      if (exitCode !== 0) print(await output());
      return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    },
    async tests(group, extraEnv) {
      const reportFile = join(folder, `report-${steps + 1}.xml`);
      const { exitCode, seconds, output } = await run(testCommand({ ...group, reportFile, updateTimings }), {
        ...env,
        ...extraEnv,
      });
      const report = await Bun.file(reportFile)
        .text()
        .catch(() => undefined);
      const { passed, failed, complaints } = countResults({ report, exitCode, files: group.files });
      print(`${failed === 0 ? '✓' : '✗'} ${group.name}  ${passed} passed, ${failed} failed  ${seconds}`);
      if (failed > 0) print(await output());
      for (const complaint of complaints) print(`  ${complaint}`);
      return { passed, failed };
    },
  };
}

/** How long each file took on a quiet machine of two cores; `bun run test --update-timings` writes it anew. */
const timingsFile = join(import.meta.dir, 'timings.json');

/**
 * One `bun test` over these files. With several lanes each is a process that takes one file after the other, the slowest first, and
 * keeps what it has loaded and started for the next. The timeout is said here because a preload's counts for the first file alone.
 */
export function testCommand(options: {
  files: readonly string[];
  lanes: number;
  reportFile: string;
  timeoutMs?: number;
  updateTimings?: boolean;
}): string[] {
  const { files, lanes, reportFile, timeoutMs = testTimeoutMs, updateTimings = false } = options;
  return [
    ...[process.execPath, '--no-env-file', 'test', `--timeout=${timeoutMs}`],
    ...(lanes > 1 ? [`--parallel=${lanes}`, '--no-isolate', `--timings=${timingsFile}`] : []),
    ...(lanes > 1 && updateTimings ? ['--update-timings'] : []),
    ...['--reporter=junit', `--reporter-outfile=${reportFile}`],
    ...files.map((file) => `./${file}`),
  ];
}

/**
 * The environment that steps run in: this one without the variables the program itself reads (those of
 * `.env.example`), so that a developer's settings do not change what the tests find.
 */
export function cleanEnvironment(
  env: Record<string, string | undefined>,
  exampleEnv: string,
): Record<string, string | undefined> {
  const named = new Set([...exampleEnv.matchAll(/^#?\s*([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name));
  const kept = Object.entries(env).filter(([name]) => !named.has(name));
  // With CI set, Bun refuses `test.only`, which would leave out all others.
  return { ...Object.fromEntries(kept), CI: 'true' };
}
