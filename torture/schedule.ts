import type { RedisForm } from './cluster/redis.ts';
import {
  clusterFaultKinds,
  type Fault,
  type FaultKind,
  faultKinds,
  links,
  meet,
  processKinds,
} from './fault.ts';
import { type Lane, makeClusterLane, makeLanes } from './lanes.ts';
import { createRandom } from './random.ts';

/** Faults that begin together; the next wave has its time only when these are over and a pause has passed. */
export interface Wave {
  /** From the beginning of the load. */
  atMs: number;
  faults: Fault[];
}

export interface ScheduleOptions {
  seed: number;
  minutes: number;
  /** Only these; all where it is not given. */
  kinds?: readonly FaultKind[] | undefined;
  /** Of which Redis is in this form: its own faults come one at a time, between others. */
  cluster?: RedisForm;
}

/** The first quiet time, in which flow is established. */
const quietFirstMs = 4_000;
/** After each wave: recovery is measured here. */
const quietMs = 5_000;
/** At the end of the load nothing new begins. */
const quietLastMs = 8_000;
/** Long freezes come only in runs that have the time. */
const longRunMinutes = 4;

/** Draws of one seed; the first that has enough of every kind is taken, else the best of them. */
const mostDraws = 200;
/** What a run of this length should have of each kind of fault, and of each process killed and frozen. */
const enough = (minutes: number): number => (minutes >= 10 ? 5 : 1);

/** What a cluster's faults come between. Of Redis the addresses are its own: nothing stands in between. */
const clusterLinks = links.filter((link) => !link.endsWith('-redis'));
/** What a Redis that is killed and keeps nothing is anyway. */
const notInCluster = 'redis-flush';

export const kindsOf = (cluster: boolean): readonly FaultKind[] =>
  cluster ? [...clusterFaultKinds, ...faultKinds.filter((kind) => kind !== notInCluster)] : faultKinds;

/** The same seed, minutes and kinds give the same schedule. */
export function makeSchedule(options: ScheduleOptions): Wave[] {
  const { seed, minutes, cluster, kinds = kindsOf(cluster !== undefined) } = options;
  const long = minutes >= longRunMinutes && cluster === undefined;
  let best: { waves: Wave[]; least: number } | undefined;
  for (let draw = 0; draw < mostDraws; draw += 1) {
    const random = createRandom(seed).fork(`schedule ${cluster === undefined ? draw : `${cluster} ${draw}`}`);
    const teams = cluster
      ? [[makeClusterLane(random.fork('cluster'))], makeLanes(random, long, clusterLinks)]
      : [makeLanes(random, long)];
    const waves = drawWaves(teams, minutes, kinds);
    const least = leastOf(waves, kinds, long);
    if (!best || least > best.least) best = { waves, least };
    if (best.least >= enough(minutes)) break;
  }
  return best?.waves ?? [];
}

/** @param teams of lanes, a wave each in turn */
function drawWaves(teams: readonly Lane[][], minutes: number, kinds: readonly FaultKind[]): Wave[] {
  const wanted = new Set<string>(kinds);
  let inTurn = teams.map((lanes) => lanes.map((lane) => pickingFrom(lane, wanted)));

  const waves: Wave[] = [];
  const endMs = minutes * 60_000 - quietLastMs;
  let atMs = quietFirstMs;
  for (;;) {
    const [lanes, ...others] = inTurn;
    if (!lanes) return waves;
    const faults: Fault[] = [];
    for (const lane of lanes) {
      const next = lane((fault) => faults.every((other) => !meet(fault, other)));
      if (next) faults.push(next);
    }
    inTurn = faults.length === 0 ? others : [...others, lanes];
    if (faults.length === 0) continue;
    const lasts = Math.max(...faults.map(({ durationMs }) => durationMs));
    if (atMs + lasts > endMs) return waves;
    waves.push({ atMs, faults });
    atMs += lasts + quietMs;
  }
}

/** How often the rarest occurs: kinds, and in a long run each process killed and frozen. */
function leastOf(waves: readonly Wave[], kinds: readonly FaultKind[], long: boolean): number {
  const counts = new Map<string, number>();
  for (const kind of kinds) {
    const names = long && (kind === 'kill' || kind === 'freeze') ? processKinds : [''];
    for (const name of names) counts.set(`${kind} ${name}`, 0);
  }
  for (const fault of waves.flatMap(({ faults }) => faults)) {
    const name = `${fault.kind} ${long && 'process' in fault ? fault.process : ''}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Math.min(...counts.values());
}

/** Gives the next fault of the wanted kinds that fits; what does not fit now comes first the next time. */
function pickingFrom(
  lane: Lane,
  kinds: ReadonlySet<string>,
): (fits: (fault: Fault) => boolean) => Fault | undefined {
  const waiting: Fault[] = [];
  const mostSkipped = 200;
  return (fits) => {
    const kept = waiting.findIndex(fits);
    if (kept >= 0) return waiting.splice(kept, 1)[0];
    for (let skipped = 0; skipped < mostSkipped; skipped += 1) {
      const fault = lane.next().value;
      if (!kinds.has(fault.kind)) continue;
      if (fits(fault)) return fault;
      waiting.push(fault);
      if (waiting.length > 4) return undefined;
    }
    return undefined;
  };
}
