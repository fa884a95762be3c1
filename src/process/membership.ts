import packageJson from '../../package.json' with { type: 'json' };
import { pause } from '../shared/backoff.ts';
import { withDeadline } from '../shared/deadline.ts';
import { type EnvelopeVersion, envelopeVersions } from '../shared/envelope-codec.ts';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import type { Fingerprints, LiveProcess, Oldest, ProcessRegistry, Role } from '../shared/ports/registry.ts';
import { createAgreement } from './agreement.ts';

export interface BeatListener {
  /** @param beganAt by `performance.now()`: until then nobody could take this process for dead */
  beat(live: readonly LiveProcess[], beganAt: number): void;
  missed(): void;
  /** What the next beat is to say of this worker. */
  oldest?(): Oldest;
}

/** This process among the others of the deployment. */
export interface Membership {
  readonly id: string;
  /** Takes on a role; resolves when a beat that says so was tried. Called with every further beat, until it is left. */
  join(role: Role, listener?: BeatListener): Promise<{ leave(): Promise<void> }>;
  /** The database's clock, in ms since 1970; never behind it. */
  databaseTime(): number;
  /**
   * The highest version of an envelope that every live process knows, and this program can write. While no worker lives it stays:
   * one is started anew.
   */
  envelopeVersion(): EnvelopeVersion;
  /** Whether every live process can load changes of this kind, or has this ability. */
  everyoneLoads(event: string): boolean;
  /** Whether the others are set up as this one, as far as it can be told. */
  agrees(): boolean;
}

/** Two machines that are so far apart show people wrong times, and end tokens early. */
const mostClockDifferenceMs = 30_000;
/** Nobody waits longer for the end of this process because the database is away. */
const leaveWithinMs = 2_000;
/** A beat is not late for what it says: that is said with the next one. */
const fingerprintsWithinMs = 200;

/**
 * One row and one beat a process, whatever its roles. What others must know of a process to work with it goes here, and
 * nowhere else: it is as old as a beat, and nobody asks for each message.
 */
export function createMembership(dependencies: {
  registry: ProcessRegistry;
  fingerprints: (roles: readonly Role[]) => Promise<Fingerprints>;
  /** The events of durable changes that this program can load. */
  kinds: readonly string[];
  log: Logger;
  id?: string | undefined;
  /** Between two beats; a process counts as dead after three. */
  beatMs?: number;
}): Membership {
  const { registry, kinds, log, id = newId(), beatMs = 2_000 } = dependencies;
  const agreement = createAgreement(log);
  const seats = new Map<Role, BeatListener | undefined>();
  const leaving = new AbortController();
  let beating = false;
  /** The last beat begun: there is one at a time. */
  let last = Promise.resolve();
  let envelopeVersion: EnvelopeVersion = envelopeVersions[0];
  let loadedByAll: ReadonlySet<string> = new Set();
  let fingerprints: Fingerprints = {};
  /** From `performance.now()` to the database's clock. */
  let databaseAheadMs = Date.now() - performance.now();
  let clockIsWrong = false;
  let away = false;

  function beat(): Promise<void> {
    last = last.then(beatNow);
    return last;
  }

  async function beatNow(): Promise<void> {
    if (seats.size === 0) return;
    const roles = [...seats.keys()];
    await withDeadline(look(roles), fingerprintsWithinMs, () => new Error('late')).catch(() => {});
    const oldest = seats.get('worker')?.oldest?.();
    const self: LiveProcess = {
      ...{ id, roles, kinds, fingerprints, ...(oldest ? { oldest } : {}) },
      programVersion: packageJson.version,
      envelopeVersion: envelopeVersions.at(-1) ?? 1,
    };
    const beganAt = performance.now();
    let live: readonly LiveProcess[];
    try {
      const answer = await registry.beat(self);
      live = answer.live;
      setClock(answer.databaseTime, beganAt);
    } catch (error) {
      if (!away) log.warn({ err: error }, 'the registry of processes is away');
      away = true;
      for (const listener of seats.values()) listener?.missed();
      return;
    }
    if (away) log.info('the registry of processes is back');
    away = false;
    envelopeVersion = commonVersion(envelopeVersions, live) ?? envelopeVersion;
    loadedByAll = new Set(kinds.filter((event) => live.every((process) => process.kinds.includes(event))));
    agreement.compare(
      self,
      live.filter((process) => process.id !== id),
    );
    for (const listener of seats.values()) listener?.beat(live, beganAt);
  }

  async function look(roles: readonly Role[]): Promise<void> {
    fingerprints = await dependencies.fingerprints(roles);
  }

  /** It was read somewhere between the question and the answer. */
  function setClock(databaseTime: number, beganAt: number): void {
    databaseAheadMs = databaseTime - beganAt;
    const uncertainMs = (performance.now() - beganAt) / 2;
    const aheadMs = Math.round(Date.now() - uncertainMs - databaseTime);
    const isWrong = Math.abs(aheadMs) - uncertainMs > mostClockDifferenceMs;
    if (isWrong && !clockIsWrong) log.warn({ aheadMs }, "this machine's clock is not the database's");
    if (!isWrong && clockIsWrong) log.info({ aheadMs }, "this machine's clock is the database's again");
    clockIsWrong = isWrong;
  }

  async function beatOn(): Promise<void> {
    while (!leaving.signal.aborted) {
      await pause(beatMs * (0.75 + Math.random() * 0.5), leaving.signal);
      if (!leaving.signal.aborted) await beat();
    }
  }

  async function leave(role: Role): Promise<void> {
    if (!seats.delete(role)) return;
    if (seats.size > 0) return beat();
    leaving.abort();
    const left = last.then(() => registry.leave(id));
    await withDeadline(left, leaveWithinMs, () => new Error('no answer')).catch((error: unknown) => {
      log.warn({ err: error }, 'could not leave the registry of processes; it forgets this one by itself');
    });
  }

  return {
    id,
    async join(role, listener) {
      seats.set(role, listener);
      await beat();
      if (!beating) void beatOn();
      beating = true;
      return { leave: () => leave(role) };
    },
    databaseTime: () => performance.now() + databaseAheadMs,
    envelopeVersion: () => envelopeVersion,
    everyoneLoads: (event) => loadedByAll.has(event),
    agrees: agreement.agrees,
  };
}

/** The highest that all know; undefined while there is no worker. */
export function commonVersion<Version extends number>(
  ascending: readonly [Version, ...Version[]],
  live: readonly LiveProcess[],
): Version | undefined {
  if (!live.some(({ roles }) => roles.includes('worker'))) return undefined;
  const common = (version: Version) => live.every(({ envelopeVersion }) => envelopeVersion >= version);
  return ascending.findLast(common) ?? ascending[0];
}
