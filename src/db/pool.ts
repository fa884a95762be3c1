import { fullJitterMs } from '../shared/backoff.ts';
import { ChatError } from '../shared/errors.ts';
import { ConnectionLost, databaseUnavailable, spoilsConnection } from './errors.ts';

/** What a pool needs of a connection. */
export interface Pooled {
  readonly closed: boolean;
  /** By `performance.now()`: no longer kept once it is not in use. */
  readonly retiresAt: number;
  /** Called once, whoever ended it. */
  onClose: () => void;
  destroy(): void;
  end(): Promise<void>;
}

/** Something to be done with a connection; told of its end once. */
export interface Job<Item> {
  /** A statement that may be sent behind others of its kind, and they behind it: one that never waits for a lock. */
  readonly shares: boolean;
  begin(item: Item): PromiseLike<unknown>;
  resolve(result: never): void;
  /** With ChatError `server_busy` where too many wait, `database_unavailable` after the wait; with what `open` threw. */
  reject(error: unknown): void;
}

export interface PoolOptions<Item extends Pooled> {
  /** Gives up when the signal is aborted. */
  open: (signal: AbortSignal) => Promise<Item>;
  most: number;
  /** So long after it was handed over a job fails; and who has a connection for so long loses it. */
  patienceMs: number;
  /** Told when the last connection is gone and no other can be opened, and when one is open again. */
  onAway?: (reason: unknown) => void;
  onBack?: () => void;
}

export interface Pool<Item extends Pooled> {
  /** It begins within 4 s or never: nothing that its caller has given up is still begun. */
  run(job: Job<Item>): void;
  /** What is under way has 2 s to end; what waits fails at once. */
  close(): Promise<void>;
}

interface Underway<Item> {
  job: Job<Item>;
  askedAt: number;
  /** Its end has been told. */
  over: boolean;
}

interface Slot<Item> {
  readonly item: Item;
  /** In the order in which they were sent. */
  readonly underway: Underway<Item>[];
  /** Since when the first of them is the first. */
  since: number;
  /** So many were sent since there was none under way. */
  streak: number;
}

/** Whoever gets a connection after it still has time to use it. */
const mostWaitMs = 4_000;
const mostWaiting = 2_000;
/**
 * Pages of history that are read over one connection at a time. A second one saves PostgreSQL and us system calls: of 64
 * readers on 10 connections each page costs the api 32 µs with 1, 23 with 2, 20 with 4, 18 with 100.
 */
const mostShared = 4;
/** So often a connection that is shared has nothing to do for a moment: the driver's list of what it has sent grows until then. */
const longestStreak = 1_000;
/** Nothing is sent behind what has taken longer already. */
const quickMs = 20;
const lookEveryMs = 100;
const longestPauseMs = 500;
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
  onAway = () => {},
  onBack = () => {},
}: PoolOptions<Item>): Pool<Item> {
  const slots = new Set<Slot<Item>>();
  const idle: Slot<Item>[] = [];
  const waiting = new Set<Underway<Item>>();
  const closing = new AbortController();
  let opening = 0;
  let failures = 0;
  let away = false;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let look: ReturnType<typeof setTimeout> | undefined;
  let onAllIdle = () => {};

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
        job.shares && waiting.size === 0 && slots.size + opening >= most && leastShared(one.askedAt);
      if (shared) begin(shared, one);
      else waiting.add(one);
      openMore();
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
    else if (closing.signal.aborted || slot.item.retiresAt <= slot.since) retire(slot);
    else if (!fill(slot)) idle.push(slot);
    if (closing.signal.aborted && slots.size === 0) onAllIdle();
  }

  /** Gives it what waits, in the order of coming. @returns whether it has something to do */
  function fill(slot: Slot<Item>): boolean {
    for (const next of waiting) {
      if (slot.underway.length > 0 && !(next.job.shares && isShared(slot, slot.since))) break;
      waiting.delete(next);
      if (slot.since - next.askedAt < mostWaitMs) begin(slot, next);
      else fail(next, waitedInVain());
    }
    return slot.underway.length > 0;
  }

  const isShared = ({ underway, since, streak }: Slot<Item>, now: number): boolean =>
    underway.length < mostShared &&
    underway[0]?.job.shares === true &&
    streak < longestStreak &&
    now - since < quickMs;

  function leastShared(now: number): Slot<Item> | undefined {
    let least: Slot<Item> | undefined;
    for (const slot of slots) {
      if (isShared(slot, now) && (!least || slot.underway.length < least.underway.length)) least = slot;
    }
    return least;
  }

  function discard(slot: Slot<Item>): void {
    if (!slots.delete(slot)) return;
    const at = idle.indexOf(slot);
    if (at >= 0) idle.splice(at, 1);
    openMore();
  }

  function retire(slot: Slot<Item>): void {
    discard(slot);
    slot.item.end().catch(() => slot.item.destroy());
  }

  function openMore(): void {
    while (!closing.signal.aborted && !pause && waiting.size > opening && slots.size + opening < most) {
      opening += 1;
      open(closing.signal).then(opened, notOpened);
    }
  }

  function opened(item: Item): void {
    if (item.closed) {
      notOpened(new ConnectionLost('the server closed the connection'));
      return;
    }
    opening -= 1;
    if (closing.signal.aborted) {
      item.destroy();
      return;
    }
    failures = 0;
    if (away) onBack();
    away = false;
    const slot: Slot<Item> = { item, underway: [], since: performance.now(), streak: 0 };
    slots.add(slot);
    item.onClose = () => {
      // The driver forgets what it was given between an error of the socket and its end.
      for (const each of slot.underway) fail(each, new ConnectionLost('the connection was closed'));
      discard(slot);
    };
    if (!fill(slot)) idle.push(slot);
    openMore();
  }

  function notOpened(error: unknown): void {
    opening -= 1;
    if (closing.signal.aborted) return;
    // With others in use, whoever waits gets one of them: the server only takes no more.
    if (slots.size === 0) {
      if (!away) onAway(error);
      away = true;
      failWaiting(error);
    }
    pause ??= setTimeout(
      () => {
        pause = undefined;
        openMore();
      },
      fullJitterMs(failures++, 50, longestPauseMs),
    );
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
      if (now - each.askedAt < Math.min(mostWaitMs, patienceMs)) break;
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
    databaseUnavailable(new Error(`no connection became free within ${mostWaitMs} ms`));
  const noAnswer = () => databaseUnavailable(new Error(`no answer within ${patienceMs} ms`));

  async function close(): Promise<void> {
    if (closing.signal.aborted) return;
    const reason = new ConnectionLost('the pool was closed');
    closing.abort(reason);
    clearTimeout(pause);
    failWaiting(reason);
    const ends = idle.splice(0).map((slot) => {
      slots.delete(slot);
      return slot.item.end().catch(() => slot.item.destroy());
    });
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, closeWithinMs);
      onAllIdle = () => {
        clearTimeout(late);
        resolve();
      };
      if (slots.size === 0) onAllIdle();
    });
    clearTimeout(look);
    for (const { item } of slots) item.destroy();
    await Promise.all(ends);
  }

  return { run, close };
}
