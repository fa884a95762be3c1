import type { Membership } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { Subscriber } from '../shared/ports/notifications.ts';
import type { Member } from './member.ts';
import type { PresenceAnnouncer } from './presence-announcer.ts';
import type { PresenceHeartbeat } from './presence-heartbeat.ts';
import { type Few, SmallSet } from './small-set.ts';
import { createSubscribeWithin } from './subscribe.ts';

/** The user's sockets, and what they know. */
export class LocalUser extends SmallSet<Member> {
  subscribed: Promise<void>;
  membershipVersion: number | undefined = undefined;
  /** The version of the user's own memberships up to which all live sockets have been told; undefined until one is. */
  told: number | undefined = undefined;
  /** The highest one that was heard of. */
  heard = 0;
  /** Those that came before their predecessors. */
  readonly early = new SmallSet<number>();
  /** Announced, and not told yet. */
  held: Membership[] | undefined = undefined;
  looking: ReturnType<typeof setTimeout> | undefined = undefined;
  catchingUp = false;
  /** Whether they are told what others have read. */
  readReceipts = true;
  /** How often that was announced: what was read before the last time may be older. */
  announced = 0;
  /** One of them has been live. */
  here = false;
  constructor(subscribed: Promise<void>) {
    super();
    this.subscribed = subscribed;
  }
}

/** What a user shows of themselves. */
export interface Shown {
  readReceipts: boolean;
  showPresence: boolean;
}

/** The users with a local socket: the rooms `user:<id>`. */
export interface Users {
  /** Resolves when the user's topic is acknowledged. */
  add(member: Member): Promise<void>;
  remove(member: Member): void;
  /** All of the user's local sockets, those that are still connecting too. */
  of(userId: string): Few<Member>;
  /** Undefined where there is none. */
  local(userId: string): LocalUser | undefined;
  all(): Iterable<Member>;
  /** The version of the user's memberships that all live sockets agree with; undefined where they may not. */
  membershipVersion(userId: string): number | undefined;
  setMembershipVersion(userId: string, version: number | undefined): void;
  /** What PostgreSQL says that the user shows, and so is shown. */
  setShown(userId: string, shown: Shown): void;
  /** Just before the member is live: it is in the chats of this version. */
  goesLive(member: Member, version: number | undefined): void;
}

const none: Few<Member> = new Set();
const done = Promise.resolve();

export function createUsers(deps: {
  subscriber: Subscriber;
  presence: PresenceHeartbeat;
  announcer: PresenceAnnouncer;
  metrics: Metrics;
  log: Logger;
}): Users {
  const { subscriber, presence, announcer, metrics, log } = deps;
  const subscribeWithin = createSubscribeWithin(subscriber, log);
  const users = new Map<string, LocalUser>();
  metrics.read('confab_local_users', () => users.size);
  /** New users of this tick: a storm of connects is one subscription, with one timer. */
  let newcomers = new Map<string, LocalUser>();
  let subscribing: Promise<void> | undefined;

  function subscribe(): Promise<void> {
    const here = [...newcomers].filter(([userId, user]) => users.get(userId) === user);
    newcomers = new Map();
    subscribing = undefined;
    const topics = here.map(([userId]) => `user:${userId}` as const);
    const subscribed = topics.length > 0 ? subscribeWithin(topics) : done;
    // One promise for all that are subscribed, instead of one each.
    return subscribed.then(() => {
      for (const [, user] of here) user.subscribed = done;
    });
  }

  return {
    add(member) {
      let user = users.get(member.userId);
      if (!user) {
        subscribing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(subscribe);
        user = new LocalUser(subscribing);
        users.set(member.userId, user);
        newcomers.set(member.userId, user);
      }
      user.add(member);
      presence.changed(member.userId, user);
      return user.subscribed;
    },

    remove(member) {
      const user = users.get(member.userId);
      if (!user?.delete(member)) return;
      presence.changed(member.userId, user);
      if (user.size > 0) return;
      users.delete(member.userId);
      if (user.here) announcer.went(member.userId);
      subscriber.unsubscribe([`user:${member.userId}`]).catch((error) => {
        log.warn({ err: error }, 'unsubscribing failed');
      });
    },

    of: (userId) => users.get(userId) ?? none,

    local: (userId) => users.get(userId),

    membershipVersion: (userId) => users.get(userId)?.membershipVersion,

    setMembershipVersion(userId, version) {
      const user = users.get(userId);
      if (user) user.membershipVersion = version;
    },

    setShown(userId, { readReceipts, showPresence }) {
      const user = users.get(userId);
      if (!user) return;
      user.readReceipts = readReceipts;
      let toggled = false;
      for (const member of user) {
        toggled ||= member.live && member.hides === showPresence;
        member.hides = !showPresence;
      }
      if (toggled) announcer.toggled(userId, showPresence);
    },

    goesLive({ userId }, version) {
      const user = users.get(userId);
      if (!user) return;
      if (!user.here) announcer.came(userId);
      user.here = true;
      const agrees = user.membershipVersion === version || [...user].every(({ live }) => !live);
      user.membershipVersion = agrees ? version : undefined;
    },

    *all() {
      for (const user of users.values()) yield* user;
    },
  };
}
