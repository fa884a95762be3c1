import { StepFailure } from './client.ts';

const withinMs = 10_000;

/** @throws StepFailure of that when nothing is found in time */
export async function until<Found>(
  otherwise: string,
  find: () => Found | undefined | Promise<Found | undefined>,
  everyMs: number,
): Promise<Found> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new StepFailure(`${otherwise} within ${withinMs / 1000} s`);
    await Bun.sleep(everyMs);
  }
}
