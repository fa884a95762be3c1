import type { Logger } from '../shared/log.ts';
import type { Subscriber } from '../shared/notifications/notifications.ts';
import type { Member } from './member.ts';
import type { PresenceHeartbeat } from './presence-heartbeat.ts';
import { type Few, SmallSet } from './small-set.ts';
import { subscribeWithin } from './subscribe.ts';

/** The user's sockets. */
class LocalUser extends SmallSet<Member> {
  subscribed: Promise<void>;
  constructor(subscribed: Promise<void>) {
    super();
    this.subscribed = subscribed;
  }
}

/** The users with a local socket: the rooms `user:<id>`. */
export interface Users {
  /** Resolves when the user's topic is acknowledged. */
  add(member: Member): Promise<void>;
  remove(member: Member): void;
  /** All of the user's local sockets, those that are still connecting too. */
  of(userId: string): Few<Member>;
  all(): Iterable<Member>;
}

const none: Few<Member> = new Set();
const done = Promise.resolve();

/** One promise for all that are subscribed, instead of one each. */
function forgetWhenDone(user: LocalUser): void {
  user.subscribed.then(() => {
    user.subscribed = done;
  });
}

export function createUsers(deps: {
  subscriber: Subscriber;
  presence: PresenceHeartbeat;
  log: Logger;
}): Users {
  const { subscriber, presence, log } = deps;
  const users = new Map<string, LocalUser>();

  return {
    add(member) {
      let user = users.get(member.userId);
      if (!user) {
        const subscribed = subscribeWithin(subscriber, [`user:${member.userId}`], log);
        user = new LocalUser(subscribed);
        users.set(member.userId, user);
        forgetWhenDone(user);
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
      subscriber.unsubscribe([`user:${member.userId}`]).catch((error) => {
        log.warn({ err: error }, 'unsubscribing failed');
      });
    },

    of: (userId) => users.get(userId) ?? none,

    *all() {
      for (const user of users.values()) yield* user;
    },
  };
}
