import { now } from './clock.ts';
import { nameOf } from './fault.ts';
import type { FaultHelpers } from './fault-helpers.ts';
import { carryOut } from './faults.ts';
import { recovered } from './recovered.ts';
import type { Wave } from './schedule.ts';

/** How many times as long as planned the waves may take, where recovery is waited for. */
const mostOvertime = 2.5;

/** @returns how many there was no time for */
export async function runWaves(
  waves: readonly Wave[],
  { minutes, loadBegan }: { minutes: number; loadBegan: number },
  helpers: FaultHelpers,
): Promise<number> {
  const endAt = loadBegan + minutes * 60_000 * mostOvertime;
  for (const [at, wave] of waves.entries()) {
    const wait = loadBegan + wave.atMs - now();
    if (wait > 0) await Bun.sleep(wait);
    await recovered(helpers);
    if (now() > endAt) return waves.length - at;
    const seconds = ((now() - loadBegan) / 1000).toFixed(0).padStart(4);
    helpers.print(`${seconds} s  ${wave.faults.map(nameOf).join(', ')}`);
    await Promise.all(wave.faults.map((fault) => carryOut(fault, helpers)));
  }
  return 0;
}
