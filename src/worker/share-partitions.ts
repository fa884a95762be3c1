import type { Membership } from '../process/membership.ts';
import type { Logger } from '../shared/log.ts';
import type { Consumer } from '../shared/ports/queue.ts';
import { deadAfterMs, type LiveProcess } from '../shared/ports/registry.ts';
import { partitionsOf } from './partitions-of.ts';

export interface Share {
  stop(): Promise<void>;
  ready(): boolean;
  /** How many partitions it consumes. */
  owned(): number;
  /** How many workers live. */
  workers(): number;
  /** Whether it is the first of them: what all see one of them tells. */
  isFirst(): boolean;
}

/**
 * Keeps this worker consuming exactly the partitions that are its own among the live workers. Single active consumer
 * alone would be fail-over, not balance: the first worker gets everything. A worker that the others must take for dead
 * gives its partitions up, else they would wait behind it: it may be cut off from the registry and not from the queue.
 */
export async function sharePartitions(dependencies: {
  membership: Membership;
  partitionCount: number;
  /** @param leaving aborted when the partition is to be another's: a batch that cannot be stored now is its */
  consume: (partition: number, leaving: AbortSignal) => Promise<Consumer>;
  /** With every beat, when it is shared. */
  onBeat?: () => void;
  log: Logger;
  giveUpAfterMs?: number;
}): Promise<Share> {
  const { membership, partitionCount, consume, onBeat, log } = dependencies;
  const { giveUpAfterMs = deadAfterMs } = dependencies;
  const consumers = new Map<number, Consumer>();
  /** Openings and closings under way: a batch may take its time to finish, and the beat does not wait for it. */
  const changing = new Map<number, Promise<void>>();
  const leaving = new AbortController();
  /** Of each partition from its opening to its closing, whatever it closes for. */
  const tenures = new Map<number, AbortController>();
  /** Since when older workers are there. */
  const olderSince = new Map<string, number>();
  let seenAt = performance.now();
  let shared = false;
  let workerIds: readonly string[] = [];

  /**
   * What an older worker does not read it leaves at the head of its queue, which then stands still. So one that comes gets its share
   * once all apis have seen it, and what they sent before is worked off.
   */
  function hasShare({ id, envelopeVersion }: LiveProcess, ownVersion: number): boolean {
    if (envelopeVersion >= ownVersion) return true;
    // Those who were there before this one have theirs.
    const since = olderSince.getOrInsertComputed(id, () => (shared ? seenAt : Number.NEGATIVE_INFINITY));
    return seenAt - since >= giveUpAfterMs;
  }

  function share(live: readonly LiveProcess[], beganAt: number): void {
    seenAt = beganAt;
    if (leaving.signal.aborted) return;
    const ownVersion = live.find(({ id }) => id === membership.id)?.envelopeVersion ?? 0;
    const workers = live.filter((one) => one.roles.includes('worker'));
    workerIds = workers.map(({ id }) => id).toSorted();
    const sharing = workers.filter((one) => hasShare(one, ownVersion)).map(({ id }) => id);
    const own = partitionsOf(membership.id, sharing, partitionCount);
    const settled = (partition: number) => !changing.has(partition);
    const lost = [...consumers.keys()].filter((partition) => !own.has(partition)).filter(settled);
    const won = [...own].filter((partition) => !consumers.has(partition)).filter(settled);
    for (const partition of lost) change(partition, close);
    for (const partition of won) change(partition, open);
    if (lost.length + won.length > 0) log.info({ workers: sharing.length, won, lost }, 'partitions shared');
    shared = true;
    onBeat?.();
  }

  function giveUp(): void {
    for (const tenure of tenures.values()) tenure.abort();
    shared = false;
    workerIds = [];
    const given = [...consumers.keys()].filter((partition) => !changing.has(partition));
    for (const partition of given) change(partition, close);
    if (given.length > 0)
      log.warn({ given }, 'away from the registry for too long: the partitions are given up');
  }

  function change(partition: number, make: (partition: number) => Promise<void>): void {
    changing.set(
      partition,
      make(partition).finally(() => changing.delete(partition)),
    );
  }

  async function open(partition: number): Promise<void> {
    const tenure = new AbortController();
    tenures.set(partition, tenure);
    try {
      const consumer = await consume(partition, tenure.signal);
      consumers.set(partition, consumer);
      // Given up meanwhile: whoever is asked to consume now would leave every batch at the first hiccup.
      if (tenure.signal.aborted) await close(partition);
    } catch (error) {
      log.warn({ err: error, partition }, 'a partition could not be opened; tried again with the next beat');
    }
  }

  async function close(partition: number): Promise<void> {
    tenures.get(partition)?.abort();
    try {
      await consumers.get(partition)?.close();
    } catch (error) {
      log.warn({ err: error, partition }, 'closing a partition failed');
    }
    consumers.delete(partition);
  }

  const seat = await membership.join('worker', {
    beat: share,
    missed() {
      if (performance.now() - seenAt > giveUpAfterMs) giveUp();
    },
  });
  await Promise.all(changing.values());
  return {
    ready: () => shared && !leaving.signal.aborted,
    owned: () => consumers.size,
    workers: () => workerIds.length,
    isFirst: () => workerIds[0] === membership.id,
    async stop() {
      leaving.abort();
      for (const tenure of tenures.values()) tenure.abort();
      // The others may line up behind it at once: a partition has one active consumer.
      const left = seat.leave();
      await Promise.all(changing.values());
      await Promise.all([...consumers.keys()].map(close));
      await left;
    },
  };
}
