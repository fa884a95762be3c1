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
  /** With ChatError `server_busy` where too many wait, `database_unavailable` where there was no connection; else with what `begin` threw. */
  reject(error: unknown): void;
}

export interface Underway<Item> {
  job: Job<Item>;
  askedAt: number;
  /** Its end has been told. */
  over: boolean;
}

/** A connection of the pool, and what was sent over it. */
export interface Slot<Item> {
  readonly item: Item;
  /** In the order in which they were sent. */
  readonly underway: Underway<Item>[];
  /** Since when the first of them is the first. */
  since: number;
  /** So many were sent since there was none under way. */
  streak: number;
}

/**
 * Pages of history that are read over one connection at a time. A second one saves PostgreSQL and us system calls: of 64
 * readers on 10 connections each page costs the api 32 µs with 1, 23 with 2, 20 with 4, 18 with 100.
 */
const mostShared = 4;
/** So often a connection that is shared has nothing to do for a moment: the driver's list of what it has sent grows until then. */
const longestStreak = 1_000;
/** Nothing is sent behind what has taken longer already. */
const quickMs = 20;
/** Whether something more may be sent behind what is under way. */
export const isShared = ({ underway, since, streak }: Slot<unknown>, now: number): boolean =>
  underway.length < mostShared &&
  underway[0]?.job.shares === true &&
  streak < longestStreak &&
  now - since < quickMs;

export function leastShared<Item>(slots: Iterable<Slot<Item>>, now: number): Slot<Item> | undefined {
  let least: Slot<Item> | undefined;
  for (const slot of slots) {
    if (isShared(slot, now) && (!least || slot.underway.length < least.underway.length)) least = slot;
  }
  return least;
}
