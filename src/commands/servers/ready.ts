import { connect } from 'node:net';
import type { GuardedProcess } from './guard.ts';

interface Wait {
  what: string;
  /** Resolves to true when the server answers; a throw counts as "not yet". */
  check: () => Promise<boolean>;
  process?: GuardedProcess;
  logFile?: string;
  deadlineMs: number;
}

/**
 * Waits until the server answers its own protocol. Throws with the end of the server's log when it exits before,
 * or does not answer in time.
 */
export async function untilReady({ what, check, process, logFile, deadlineMs }: Wait): Promise<void> {
  let exitCode: number | undefined;
  process?.exited.then((code) => {
    exitCode = code;
  });
  const deadline = performance.now() + deadlineMs;
  let lastError: unknown;
  while (performance.now() < deadline) {
    const answered = await check().catch((error: unknown) => {
      lastError = error;
      return false;
    });
    if (answered) return;
    if (exitCode !== undefined)
      throw new Error(`${what} ended at start with code ${exitCode}.${await tail(logFile)}`);
    await Bun.sleep(25);
  }
  const reason = lastError instanceof Error ? ` (${lastError.message})` : '';
  throw new Error(`${what} did not answer within ${deadlineMs / 1000} s${reason}.${await tail(logFile)}`);
}

async function tail(logFile: string | undefined): Promise<string> {
  if (!logFile) return '';
  const text = await Bun.file(logFile)
    .text()
    .catch(() => '');
  return ` The end of its log (${logFile}):\n${text.trimEnd().split('\n').slice(-20).join('\n')}`;
}

/** Connects, sends `request`, and resolves to whether the answer begins with `expected`. */
export function answers(port: number, request: string | Uint8Array, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => socket.write(request));
    socket.once('data', (data) => finish(data.toString('latin1').startsWith(expected)));
  });
}
