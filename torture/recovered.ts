import { now } from './clock.ts';
import type { FaultHelpers } from './fault-helpers.ts';

/** Recovery is to be there within 15 s, of a cluster within 30 s. */
const deadlineMs = 20_000;
const clusterDeadlineMs = 40_000;
/** So long the flow has to stay full before the next faults. */
const steadyMs = 1_250;

/** Full flow for a second, so that the next faults do not hide how long the last ones took to get over. */
export async function recovered(
  helpers: Pick<FaultHelpers, 'recorder' | 'fullFlow' | 'deployment'>,
): Promise<void> {
  const { recorder, fullFlow, deployment } = helpers;
  const deadline = now() + (deployment.cluster ? clusterDeadlineMs : deadlineMs);
  let fullSince: number | undefined;
  while (now() < deadline && (fullSince === undefined || now() < fullSince + steadyMs)) {
    await Bun.sleep(250);
    if (!fullFlow()) fullSince = undefined;
    else fullSince ??= now();
  }
  for (const fault of recorder.faults) fault.recoveredAt ??= now();
}
