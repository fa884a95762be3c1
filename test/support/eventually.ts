import { runningMs } from './running-time.ts';
/** Waits until the condition holds; throws, with its name, if it does not within `deadlineMs` of running time. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const deadline = runningMs() + deadlineMs;
  while (!(await condition())) {
    if (runningMs() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await Bun.sleep(10);
  }
}
