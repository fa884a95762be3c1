import { isDatabaseUnavailable } from '../db/errors.ts';
import type { MessageToStore, StoreOutcome } from '../db/queries/store-messages.ts';
import type { Logger } from '../shared/log.ts';
import { Abandoned } from './abandoned.ts';

export type Store = (batch: readonly MessageToStore[]) => Promise<StoreOutcome[]>;

export interface Stores {
  /**
   * May share its commit, and so its failure, with other batches: for the first try.
   * @throws Abandoned when the batch is no longer `current` once its turn has come
   */
  gather(batch: readonly MessageToStore[], current: () => boolean): Promise<StoreOutcome[]>;
  alone: Store;
  /** Whether storing works at all, now: then a batch that takes too long is itself the reason. */
  work(): Promise<boolean>;
}

interface Waiting {
  batch: readonly MessageToStore[];
  current: () => boolean;
  answer: PromiseWithResolvers<StoreOutcome[]>;
}

/** So long small batches wait for a commit that is under way: what hangs at a lock holds up nobody who comes later. */
const longestWaitMs = 2;
/** So long at most they wait for the others' time to be over: nobody notices it. */
const longestPauseMs = 5;

/**
 * Stores what the partitions have at the same time in one commit: while one is under way the small batches of the others
 * gather, full ones go at once. A commit of one message costs PostgreSQL some 450 µs, of ten some 100 each; below the
 * maximum each partition by itself would have no more than one. Other workers' batches cannot share it; so that all together commit no
 * more often than one alone, each leaves the others' time free after each of its own.
 * @param workers how many there are, this one included
 * @param store throws for all of what it is given; where values may be at fault, each batch is then tried alone
 */
export function gatherBatches(
  store: Store,
  mostMessages: number,
  log: Logger,
  workers: () => number,
): Omit<Stores, 'work'> {
  let waiting: Waiting[] = [];
  let messages = 0;
  let underWay = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** By `performance.now()`: until then it is the others' time. */
  let freeUntil = 0;

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    const all: Waiting[] = [];
    for (const one of waiting) {
      if (one.current()) all.push(one);
      else one.answer.reject(new Abandoned());
    }
    waiting = [];
    messages = 0;
    for (let at = 0; at < all.length; ) {
      const group: Waiting[] = [];
      let size = 0;
      for (
        let next = all[at];
        next && (size === 0 || size + next.batch.length <= mostMessages);
        next = all[at]
      ) {
        group.push(next);
        size += next.batch.length;
        at += 1;
      }
      void run(group);
    }
  }

  async function run(group: readonly Waiting[]): Promise<void> {
    underWay += 1;
    const beganAt = performance.now();
    try {
      const outcomes = await store(group.flatMap(({ batch }) => batch));
      let from = 0;
      for (const { batch, answer } of group) {
        answer.resolve(outcomes.slice(from, from + batch.length));
        from += batch.length;
      }
    } catch (error) {
      if (group.length === 1 || isDatabaseUnavailable(error)) {
        for (const one of group) one.answer.reject(error);
        return;
      }
      log.warn(
        { err: error, batches: group.length },
        'a shared commit failed; its batches are stored one by one',
      );
      for (const { batch, answer } of group) answer.resolve(store(batch));
    } finally {
      underWay -= 1;
      if (underWay === 0) pause(performance.now() - beganAt);
    }
  }

  function pause(tookMs: number): void {
    const pauseMs = Math.min(longestPauseMs, tookMs * (workers() - 1));
    freeUntil = performance.now() + pauseMs;
    if (waiting.length === 0) return;
    clearTimeout(timer);
    if (pauseMs > 0) timer = setTimeout(start, pauseMs);
    else start();
  }

  function gather(batch: readonly MessageToStore[], current: () => boolean): Promise<StoreOutcome[]> {
    const answer = Promise.withResolvers<StoreOutcome[]>();
    waiting.push({ batch, current, answer });
    messages += batch.length;
    const othersMs = underWay === 0 ? freeUntil - performance.now() : longestWaitMs;
    if (othersMs <= 0 || messages >= mostMessages) start();
    else timer ??= setTimeout(start, othersMs);
    return answer.promise;
  }

  return { gather, alone: store };
}
