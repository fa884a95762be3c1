export interface Counts {
  passed: number;
  failed: number;
}

export interface GroupResult extends Counts {
  /** What went wrong beside tests that failed by themselves, one line each. */
  complaints: string[];
}

interface Run {
  /** The report of `bun test --reporter=junit`; undefined if it wrote none. */
  report: string | undefined;
  exitCode: number;
  /** The files it was given. */
  files: string[];
}

/**
 * The true counts of one `bun test`. Its report alone does not tell: a file that fails to load, or has no tests, is
 * not in it. Such a file is a failure, as is each test skipped or left to do.
 */
export function countResults({ report, exitCode, files }: Run): GroupResult {
  const complaints: string[] = [];
  const totals = attributesOf(report?.match(/<testsuites\b[^>]*>/)?.[0] ?? '');
  const [tests, failures, skipped] = [number(totals.tests), number(totals.failures), number(totals.skipped)];
  let failed = failures;

  const ran = new Set(
    [...(report ?? '').matchAll(/<testsuite\b[^>]*>/g)]
      .map(([tag]) => attributesOf(tag))
      .filter((suite) => number(suite.tests) > 0)
      .map((suite) => withoutRoot(suite.file ?? '')),
  );
  for (const file of files.filter((each) => !ran.has(withoutRoot(each)))) {
    complaints.push(`${file} ran no test`);
    failed++;
  }
  if (skipped > 0) {
    complaints.push(`${skipped} skipped or left to do: here that is a failure`);
    failed += skipped;
  }
  if (exitCode !== 0 && failed === 0) {
    complaints.push(`bun test ended with code ${exitCode} though no test failed`);
    failed++;
  }
  return { passed: tests - failures - skipped, failed, complaints };
}

/** Reports name files from the working directory or from the tests' root, depending on how Bun was called. */
function withoutRoot(file: string): string {
  return file.replaceAll('\\', '/').replace(/^(.*\/)?(?=(unit|conformance|integration)\/)/, '');
}

function attributesOf(tag: string): Record<string, string> {
  return Object.fromEntries([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

function number(text: string | undefined): number {
  return Number(text ?? 0);
}
