export interface Finished {
  status: number;
  out: string;
  err: string;
}

interface Running {
  exited: Promise<number>;
  stdout: ReadableStream<Uint8Array>;
  stderr: ReadableStream<Uint8Array>;
}

/** What a program has printed when it has ended. */
export async function finished({ exited, stdout, stderr }: Running): Promise<Finished> {
  const [status, out, err] = await Promise.all([
    exited,
    new Response(stdout).text(),
    new Response(stderr).text(),
  ]);
  return { status, out, err };
}

/**
 * Runs a program to its end.
 * @returns what it has printed
 * @throws Error with all that it has said, when it fails
 */
export async function output(
  command: readonly string[],
  where: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<string> {
  const run = Bun.spawn([...command], { ...where, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const { status, out, err } = await finished(run);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${out}${err}`);
  return out;
}
