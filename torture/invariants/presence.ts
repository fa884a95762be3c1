import type { Evidence } from '../evidence.ts';
import type { PresenceReading } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';

/** As the contract has it. */
export const rightWithinMs: Record<PresenceReading['how'], number> = {
  connected: 30_000,
  disconnected: 10_000,
  'gateway died': 30_000,
};
/** It was read each second. */
const toleranceMs = 1_500;

/** Undefined where it is right. */
export function wrongIn({ how, since, online, lastSeenAt }: PresenceReading): string | undefined {
  if (online !== (how === 'connected')) return online ? 'still online' : 'offline';
  if (how !== 'disconnected') return undefined;
  return Math.abs(Date.parse(lastSeenAt ?? '') - since) <= rightWithinMs[how] ? undefined : 'last seen';
}

/** I14 */
export function presence({ history }: Evidence): Verdict {
  const tally = createTally(
    'I14',
    "presence is right within 10 s of a last socket's end, and within 30 s of a gateway's",
  );
  for (const reading of history.presence) {
    tally.check();
    const { userId, how, since, readAt } = reading;
    const tookMs = readAt - since;
    const wrong = wrongIn(reading) ?? (tookMs > rightWithinMs[how] + toleranceMs ? 'late' : undefined);
    if (wrong === undefined) continue;
    tally.violate(
      wrong,
      () => `${userId} (${how}): ${wrong}, ${Math.round(tookMs)} ms later`,
      () => [reading],
    );
  }
  return tally.verdict();
}
