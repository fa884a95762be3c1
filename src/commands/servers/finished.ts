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
