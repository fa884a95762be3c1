import { type Announce, passing } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { type DirectChat, readDirectChats, writeLastSeen } from '../db/queries/presence.ts';
import { chunks } from '../shared/chunks.ts';
import type { PresenceEvent } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification } from '../shared/ports/notifications.ts';
import type { Presence } from '../shared/ports/presence.ts';

export interface PresenceTimes {
  /** Who comes back sooner was never said to be offline. */
  offlineAfterMs: number;
  /** How long whoever comes waits for others; by then the end of their socket at another gateway is written. */
  gatherMs: number;
  /** The end of a socket is written within two of these. */
  lookEveryMs: number;
}

const defaultTimes: PresenceTimes = { offlineAfterMs: 10_000, gatherMs: 1_000, lookEveryMs: 250 };
/** Of the time of being offline: who was away for less is not said to be online. Another gateway may have seen it a little longer. */
const onlineAfter = 0.8;
/** An end that could not be written by then is forgotten. */
const patienceMs = 60_000;
/** Users of one look for direct chats, of which each may have 50; notifications of one publish; users of one write. */
const mostTold = 200;
const mostPublished = 500;
const mostWritten = 1_000;

/** Tells direct chats who comes and goes, and keeps when a user was last seen. All of it is hints, gathered, beside the connects. */
export interface PresenceAnnouncer {
  /** The user's first socket here is live. */
  came(userId: string): void;
  /** The user's last socket here has ended. */
  went(userId: string): void;
  /** A user with sockets here shows their presence from now on, or does not any more. */
  toggled(userId: string, shows: boolean): void;
  /** What has ended is written, and nobody told any more. */
  stop(): Promise<void>;
}

export function createPresenceAnnouncer(deps: {
  database: Database;
  presence: Presence;
  announce: Announce;
  /** Of those that a user has here, whose ids have the order of time. */
  earliestSocketOf: (userId: string) => string | undefined;
  log: Logger;
  times?: PresenceTimes | undefined;
}): PresenceAnnouncer {
  const { database, presence, announce, earliestSocketOf, log, times = defaultTimes } = deps;
  const { offlineAfterMs, gatherMs, lookEveryMs } = times;
  /** Users with the times of `performance.now()`, the earliest first. */
  const arrived = new Map<string, number>();
  const gone = new Map<string, number>();
  /** Of whom the end is not written yet. */
  const unwritten = new Map<string, number>();
  let looking: Promise<void> | undefined;

  async function tell(
    userIds: readonly string[],
    { online, shows = true, awayMs = 0 }: { online: boolean; shows?: boolean; awayMs?: number },
  ): Promise<void> {
    if (userIds.length === 0) return;
    const chats = await readDirectChats(database, userIds, { shows, awayMs });
    for (const some of chunks(chats, mostPublished))
      await announce(some.map((chat) => presenceNotification(chat, online, shows)));
  }

  async function tellArrived(userIds: readonly string[]): Promise<void> {
    // Where the earliest socket is it was told, by a gateway that has died since, too; of two that come at once one tells.
    const elsewhere = await presence.elsewhere(userIds);
    const first = userIds.filter((userId, at) => {
      const own = earliestSocketOf(userId);
      return own !== undefined && !elsewhere[at]?.some((socketId) => socketId < own);
    });
    await tell(first, { online: true, awayMs: offlineAfterMs * onlineAfter });
  }

  async function tellGone(userIds: readonly string[]): Promise<void> {
    const online = await presence.online(userIds);
    const offline = userIds.filter((userId) => !online.has(userId));
    // Of one whose last socket ended at another gateway, later, that one tells.
    await tell(offline, { online: false, awayMs: offlineAfterMs });
  }

  async function writeEnds(): Promise<void> {
    const now = performance.now();
    for (const some of chunks([...unwritten], mostWritten)) {
      const agos = some.map(([userId, at]) => [userId, Math.round(now - at)] as const);
      for (const userId of await writeLastSeen(database, new Map(agos))) {
        // Not that of a socket that has ended meanwhile.
        if ((unwritten.get(userId) ?? now) < now) unwritten.delete(userId);
      }
    }
    takeOlder(unwritten, patienceMs);
  }

  async function look(): Promise<void> {
    if (unwritten.size > 0) await writeEnds();
    for (const some of chunks(takeOlder(arrived, gatherMs), mostTold)) await tellArrived(some);
    for (const some of chunks(takeOlder(gone, offlineAfterMs + 2 * lookEveryMs), mostTold))
      await tellGone(some);
  }

  const failed = (error: unknown) =>
    log.warn({ err: error }, 'who came and went was not told, or not written');

  const timer = setInterval(() => {
    if (unwritten.size + arrived.size + gone.size === 0) return;
    looking ??= look()
      .catch(failed)
      .finally(() => (looking = undefined));
  }, lookEveryMs);

  return {
    came(userId) {
      if (!gone.delete(userId)) arrived.set(userId, performance.now());
    },

    went(userId) {
      const now = performance.now();
      arrived.delete(userId);
      for (const users of [gone, unwritten]) {
        users.delete(userId);
        users.set(userId, now);
      }
    },

    toggled(userId, shows) {
      tell([userId], { online: shows, shows }).catch(failed);
    },

    async stop() {
      clearInterval(timer);
      arrived.clear();
      gone.clear();
      await looking;
      await writeEnds().catch(failed);
    },
  };
}

/** To the others in the chat. */
const presenceNotification = (
  { chatId, userId, lastSeenAt }: DirectChat,
  online: boolean,
  shows: boolean,
): Notification => {
  const payload: PresenceEvent = { chatId, userId, online, lastSeenAt: shows ? lastSeenAt : null };
  return passing(`chat:${chatId}`, 'chat.presence', payload, userId);
};

/** Takes those out that have been in for so long. */
function takeOlder(users: Map<string, number>, ageMs: number): string[] {
  const until = performance.now() - ageMs;
  const taken: string[] = [];
  for (const [userId, at] of users) {
    if (at > until) break;
    users.delete(userId);
    taken.push(userId);
  }
  return taken;
}
