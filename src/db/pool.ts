import { ChatError } from '../shared/errors.ts';
import { ConnectionLost, databaseUnavailable, spoilsConnection, unavailableBecauseOf } from './errors.ts';
import { createOpener } from './opener.ts';
import { isShared, type Job, leastShared, type Pooled, type Slot, type Underway } from './slot.ts';

export interface PoolOptions<Item extends Pooled> {
  /** Gives up when the signal is aborted. */
  open: (signal: AbortSignal) => Promise<Item>;
  most: number;
  /** So long after it was handed over a job fails; and who has a connection for so long loses it. */
  patienceMs: number;
  /** How long a job may wait for a connection; 4 s where it is not given. */
  mostWaitMs?: () => number;
  /** Told when the last connection is gone and no other can be opened, and when one is open again. */
  onAway?: (reason: unknown) => void;
  onBack?: () => void;
}

export interface Pool<Item extends Pooled> {
  /** It begins within `mostWaitMs` or never: nothing that its caller has given up is still begun. */
  run(job: Job<Item>): void;
  load(): PoolLoad;
  /** What is under way has 2 s to end; what waits fails at once. */
  close(): Promise<void>;
}

/** How many connections are there, and how many jobs wait for one. */
export interface PoolLoad {
  used: number;
  idle: number;
  waiting: number;
  most: number;
}

/** Whoever gets a connection after it still has time to use it. */
const usualMostWaitMs = 4_000;
const mostWaiting = 2_000;
const lookEveryMs = 100;
const closeWithinMs = 2_000;

/**
 * Connections that are used by one at a time. That of postgres.js has two faults that this one is for: what its caller has given
 * up stays in its queue and is run when the server is back, 50,000 statements after half a minute; and up to a hundred
 * statements are sent behind one that is under way, so that a slow one holds up all of them.
 */
export function createPool<Item extends Pooled>({
  open,
  most,
  patienceMs,
  mostWaitMs = () => usualMostWaitMs,
  onAway = () => {},
  onBack = () => {},
}: PoolOptions<Item>): Pool<Item> {
  const slots = new Set<Slot<Item>>();
  const idle: Slot<Item>[] = [];
  const waiting = new Set<Underway<Item>>();
  const closing = new AbortController();
  let look: ReturnType<typeof setTimeout> | undefined;
  let onEmpty = () => {};
  const opener = createOpener<Item>({
    ...{ open, onAway, onBack, closing: closing.signal, count: () => slots.size },
    isWanted: (opening) => waiting.size > opening && slots.size + opening < most,
    onOpen: add,
    // Whatever the reason is: it is none of what waits here. Taken for an answer to it, a torn certificate file made the
    // worker give up messages.
    onNone: (reason) => failWaiting(unavailableBecauseOf(reason)),
  });

  function run(job: Job<Item>): void {
    const one: Underway<Item> = { job, askedAt: performance.now(), over: false };
    lookLater();
    const slot = waiting.size === 0 ? idle.shift() : undefined;
    if (slot) {
      begin(slot, one);
    } else if (closing.signal.aborted) {
      fail(one, closing.signal.reason);
    } else if (waiting.size >= mostWaiting) {
      const cause = new Error(`${waiting.size} wait for a connection already`);
      fail(one, new ChatError('server_busy', undefined, { cause, retryAfterSeconds: 2 }));
    } else {
      const shared =
        job.shares &&
        waiting.size === 0 &&
        slots.size + opener.opening() >= most &&
        leastShared(slots, one.askedAt);
      if (shared) begin(shared, one);
      else waiting.add(one);
      opener.openMore();
    }
  }

  function begin(slot: Slot<Item>, one: Underway<Item>): void {
    if (slot.underway.length === 0) {
      slot.since = performance.now();
      slot.streak = 0;
    }
    slot.streak += 1;
    slot.underway.push(one);
    one.job.begin(slot.item).then(
      (result) => {
        if (!one.over) one.job.resolve(result as never);
        one.over = true;
        ended(slot, one);
      },
      (error: unknown) => {
        fail(one, error);
        if (spoilsConnection(error)) slot.item.destroy();
        ended(slot, one);
      },
    );
  }

  function fail(one: Underway<Item>, error: unknown): void {
    if (one.over) return;
    one.over = true;
    one.job.reject(error);
  }

  function ended(slot: Slot<Item>, one: Underway<Item>): void {
    slot.underway.splice(slot.underway.indexOf(one), 1);
    // Taken for silent meanwhile, and given up.
    if (!slots.has(slot)) return;
    slot.since = performance.now();
    if (slot.item.closed) discard(slot);
    else if (slot.underway.length > 0) fill(slot);
    else if (closing.signal.aborted || slot.item.retiresAt <= slot.since) void retire(slot);
    else if (!fill(slot)) idle.push(slot);
  }

  /** Gives it what waits, in the order of coming. @returns whether it has something to do */
  function fill(slot: Slot<Item>): boolean {
    for (const next of waiting) {
      if (slot.underway.length > 0 && !(next.job.shares && isShared(slot, slot.since))) break;
      waiting.delete(next);
      if (slot.since - next.askedAt < mostWaitMs()) begin(slot, next);
      else fail(next, waitedInVain());
    }
    return slot.underway.length > 0;
  }

  function discard(slot: Slot<Item>): void {
    if (!slots.delete(slot)) return;
    const at = idle.indexOf(slot);
    if (at >= 0) idle.splice(at, 1);
    opener.openMore();
    if (slots.size === 0) onEmpty();
  }

  function retire(slot: Slot<Item>): Promise<void> {
    discard(slot);
    return slot.item.end().catch(() => slot.item.destroy());
  }

  function add(item: Item): void {
    const slot: Slot<Item> = { item, underway: [], since: performance.now(), streak: 0 };
    slots.add(slot);
    item.onClose = () => {
      // The driver forgets what it was given between an error of the socket and its end.
      for (const each of slot.underway) fail(each, new ConnectionLost('the connection was closed'));
      discard(slot);
    };
    if (!fill(slot)) idle.push(slot);
  }

  function failWaiting(error: unknown): void {
    const all = [...waiting];
    waiting.clear();
    for (const each of all) fail(each, error);
  }

  /** One timer for all, as long as there is something to look at. */
  function lookLater(): void {
    if (look) return;
    look = setTimeout(() => {
      look = undefined;
      lookAround(performance.now());
      if (waiting.size > 0 || idle.length < slots.size) lookLater();
    }, lookEveryMs);
    // What is waited for keeps the process alive, not the watching.
    look.unref();
  }

  function lookAround(now: number): void {
    for (const each of waiting) {
      if (now - each.askedAt < Math.min(mostWaitMs(), patienceMs)) break;
      waiting.delete(each);
      fail(each, waitedInVain());
    }
    const silent: Slot<Item>[] = [];
    for (const slot of slots) {
      for (const each of slot.underway) if (now - each.askedAt >= patienceMs) fail(each, noAnswer());
      if (slot.underway.length > 0 && now - slot.since >= patienceMs) silent.push(slot);
    }
    if (silent.length === 0) return;
    // The idle ones as well: nobody knows how long they have been silent, and each would cost a caller its patience.
    for (const slot of [...silent, ...idle]) {
      discard(slot);
      slot.item.destroy();
    }
  }

  const waitedInVain = () =>
    databaseUnavailable(new Error(`no connection became free within ${mostWaitMs()} ms`));
  const noAnswer = () => databaseUnavailable(new Error(`no answer within ${patienceMs} ms`));

  async function close(): Promise<void> {
    if (closing.signal.aborted) return;
    const reason = new ConnectionLost('the pool was closed');
    closing.abort(reason);
    failWaiting(reason);
    const ends = [...idle].map(retire);
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, closeWithinMs);
      onEmpty = () => {
        clearTimeout(late);
        resolve();
      };
      if (slots.size === 0) onEmpty();
    });
    clearTimeout(look);
    for (const { item } of slots) item.destroy();
    await Promise.all(ends);
  }

  return {
    run,
    close,
    load: () => ({ used: slots.size - idle.length, idle: idle.length, waiting: waiting.size, most }),
  };
}
