/** Which sockets a user has, over all gateways: `userId → socketIds`. Adapters: Redis and in-process. */
export interface Presence {
  /** Rewrites all that this gateway holds; it expires by itself within 30 s of the last call. Rejects when not written. */
  heartbeat(sockets: ReadonlyMap<string, ReadonlySet<string>>): Promise<void>;
  /** One user's sockets changed; an empty set removes the user. */
  update(userId: string, socketIds: ReadonlySet<string>): Promise<void>;
  /** Those of the users with a socket somewhere; never throws: with the store away nobody is known to be online. */
  online(userIds: readonly string[]): Promise<Set<string>>;
  /** Those of the users with a socket nowhere; never throws: with the store away it is undefined who is gone. */
  offline(userIds: readonly string[]): Promise<string[] | undefined>;
  /** Whether no other gateway is known of: a new one is, within 10 s, or with the next connects. */
  isAlone(): boolean;
  /**
   * The sockets that each of the users has at other gateways, in their order; never throws: with the store away there are none.
   * Those of a gateway that died count until it expires.
   */
  elsewhere(userIds: readonly string[]): Promise<string[][]>;
  /** The gateway leaves: forgets all of its sockets. */
  leave(): Promise<void>;
}
