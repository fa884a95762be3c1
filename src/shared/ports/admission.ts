/**
 * What a request needs to know before it is let in, kept where it is cheap to ask: positive facts, fresh for 30 s.
 * Absence or silence is no answer: ask PostgreSQL. Adapters: Redis and in-process.
 */

/**
 * `session:<id>` is alive; `user:<id>` is there, and not deactivated; `participant:<chatId>:<userId>` takes part, and may post;
 * `live:<chatId>` has so few participants that they are told what passes.
 */
export type Fact =
  | `session:${string}`
  | `user:${string}`
  | `participant:${string}:${string}`
  | `live:${string}`;

/** How long a fact is believed, and how long a revocation keeps late fills out. */
export const factTtlMs = 30_000;

/** `true`: known to hold. `false`: revoked less than 30 s ago. `undefined`: not known. */
export type FactAnswer = boolean | undefined;

export interface Facts {
  /** One pipelined round trip; never throws: a store that is away knows nothing. */
  read(facts: readonly Fact[]): Promise<FactAnswer[]>;
  /** Fills facts that PostgreSQL has just confirmed, unless one is known or was revoked in between. Never throws. */
  fill(facts: readonly Fact[]): Promise<void>;
  /**
   * After the commit that ended them: no read says `true` from now on, and no fill that began earlier brings one back.
   * Never throws: with the store away the fact dies by itself within 30 s.
   */
  revoke(facts: readonly Fact[]): Promise<void>;
  /** Undoes a revocation (a participant is added again, a user reactivated). Never throws. */
  restore(facts: readonly Fact[]): Promise<void>;
  /** Whether this has not been said in the last `ms`, by whichever process. Never throws: to a store that is away nothing is new. */
  isNew(what: `typing:${string}:${string}`, ms: number): Promise<boolean>;
  /** It is new again. Never throws. */
  forget(what: `typing:${string}:${string}`): Promise<void>;
}

export type LimitName =
  | 'user'
  | 'read'
  | 'typing'
  | 'address'
  | 'login'
  | 'guesses'
  | 'lookup'
  | 'invite'
  | 'connect';

export interface Take {
  limit: LimitName;
  key: string;
  /** 1 where it is not given. */
  points?: number;
}

/** With the store away each process counts for itself. */
export interface RateLimits {
  /**
   * Takes the points of each.
   * @throws ChatError `rate_limited` with the seconds to wait
   */
  consume(takes: readonly Take[]): Promise<void>;
  /** Takes the points, whatever is left, and says how many have been taken in this window. */
  count(take: Take): Promise<number>;
  /** What was taken turned out to harm nobody: a password that was right. Never throws. */
  giveBack(takes: readonly Take[]): Promise<void>;
}
