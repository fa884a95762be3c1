/** A process that was not seen for so long is taken for dead by the others. */
export const deadAfterMs = 6_000;

export type Role = 'api' | 'worker' | 'gateway';

/** What processes must have in common to understand each other. */
export type Aspect =
  | 'notifications'
  | 'redis'
  | 'broker'
  | 'partitions'
  | 'tokenKey'
  | 'madeTokens'
  | 'tokenClaims';
/** A digest an aspect; without those that this process has nothing to do with, or cannot tell now. */
export type Fingerprints = Partial<Record<Aspect, string>>;

/** By partition: when the oldest message that a worker has in hand was accepted (ISO 8601). */
export type Oldest = Readonly<Record<number, string>>;

/** What every version could load that does not say it. */
export const kindsOfBefore = [
  'chat.message.new',
  'chat.message.saved',
  'chat.participant.added',
  'chat.participant.removed',
];

/** What processes must know of besides kinds of changes, and say in the same place; those of before do not. */
export const abilities = ['tokens made here', 'deactivated users'] as const;
export type Ability = (typeof abilities)[number];

export interface LiveProcess {
  id: string;
  roles: readonly Role[];
  /** Null of a version from before it was told. */
  programVersion: string | null;
  /** The highest version of an envelope that it can read, and of whose messages it shows everything. */
  envelopeVersion: number;
  /** The events of durable changes that it can load and tell, and its abilities. */
  kinds: readonly string[];
  fingerprints: Fingerprints;
  /** Of a worker, for those who look at the deployment; nothing is decided by it. */
  oldest?: Oldest;
}

export interface Beat {
  /** All that live, the one that beat included; of older ones that write no beat one a role. */
  live: readonly LiveProcess[];
  /** The database's clock, in ms since 1970. */
  databaseTime: number;
}

/** Which processes are alive, and what they can do. Adapters: PostgreSQL and in-process. */
export interface ProcessRegistry {
  /** Says that this process lives. */
  beat(self: LiveProcess): Promise<Beat>;
  leave(id: string): Promise<void>;
}
