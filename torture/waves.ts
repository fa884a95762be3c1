import { now } from './clock.ts';
import { nameOf } from './fault.ts';
import { carryOut, type FaultHelpers } from './faults.ts';
import type { Recorder } from './recorder.ts';
import type { Wave } from './schedule.ts';

/** How many times as long as planned the waves may take, where recovery is waited for. */
const mostOvertime = 2.5;
/** Recovery is to be there within 15 s. */
const recoveryDeadlineMs = 20_000;
/** So long the flow has to stay full before the next faults. */
const steadyMs = 1_250;

/** @returns how many there was no time for */
export async function runWaves(
  waves: readonly Wave[],
  { minutes, loadBegan, fullFlow }: { minutes: number; loadBegan: number; fullFlow: () => boolean },
  helpers: FaultHelpers,
): Promise<number> {
  const endAt = loadBegan + minutes * 60_000 * mostOvertime;
  for (const [at, wave] of waves.entries()) {
    const wait = loadBegan + wave.atMs - now();
    if (wait > 0) await Bun.sleep(wait);
    await recovered(fullFlow, helpers.recorder);
    if (now() > endAt) return waves.length - at;
    const seconds = ((now() - loadBegan) / 1000).toFixed(0).padStart(4);
    helpers.print(`${seconds} s  ${wave.faults.map(nameOf).join(', ')}`);
    await Promise.all(wave.faults.map((fault) => carryOut(fault, helpers)));
  }
  return 0;
}

/** Full flow for a second, so that the next faults do not hide how long the last ones took to get over. */
export async function recovered(fullFlow: () => boolean, { faults }: Recorder): Promise<void> {
  const deadline = now() + recoveryDeadlineMs;
  let fullSince: number | undefined;
  while (now() < deadline && (fullSince === undefined || now() < fullSince + steadyMs)) {
    await Bun.sleep(250);
    if (!fullFlow()) fullSince = undefined;
    else fullSince ??= now();
  }
  for (const fault of faults) fault.recoveredAt ??= now();
}
