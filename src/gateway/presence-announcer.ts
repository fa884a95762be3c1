import { type Announce, passing } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { type DirectChat, readDirectChats, writeLastSeen } from '../db/queries/presence.ts';
import { chunks } from '../shared/chunks.ts';
import type { PresenceEvent } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification } from '../shared/ports/notifications.ts';
import type { Presence } from '../shared/ports/presence.ts';

export interface PresenceTimes {
  /** Who comes back sooner was never said to be offline. Three looks later, at most, the others are told. */
  offlineAfterMs: number;
  /** How long whoever comes waits for others; by then the end of their socket at another gateway is written. */
  gatherMs: number;
  /** The end of a socket is written within two of these. */
  lookEveryMs: number;
}

/** Who has gone is told within 10 s of the end: 9.5 to 9.75 s, and what Redis and PostgreSQL take. */
const defaultTimes: PresenceTimes = { offlineAfterMs: 9_000, gatherMs: 1_000, lookEveryMs: 250 };
/** Of the time of being offline: who was away for less is not said to be online. Another gateway may have seen it a little longer. */
const onlineAfter = 0.8;
/** An end that could not be written by then is forgotten. */
const patienceMs = 60_000;
/** Users of one look for direct chats, each among up to 1,000 chats; notifications of one publish; users of one write. */
const mostTold = 50;
const mostPublished = 500;
const mostWritten = 1_000;

type Since = [userId: string, at: number];

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

  async function tellArrived(some: readonly Since[]): Promise<void> {
    const userIds = some.map(([userId]) => userId);
    for (const userId of userIds) arrived.delete(userId);
    // Where the earliest socket is it was told, by a gateway that has died since, too; of two that come at once one tells.
    const elsewhere = await presence.elsewhere(userIds);
    const first = userIds.filter((userId, at) => {
      const own = earliestSocketOf(userId);
      return own !== undefined && !elsewhere[at]?.some((socketId) => socketId < own);
    });
    await tell(first, { online: true, awayMs: offlineAfterMs * onlineAfter });
  }

  /** @returns whether it is known who is gone; if not they are still to be told */
  async function tellGone(some: readonly Since[]): Promise<boolean> {
    const offline = await presence.offline(some.map(([userId]) => userId));
    if (!offline) return false;
    // Not who has come back meanwhile.
    const still = new Set(some.flatMap(([userId, at]) => (gone.get(userId) === at ? userId : [])));
    for (const userId of still) gone.delete(userId);
    // Of one whose last socket ended at another gateway, later, that one tells.
    await tell(
      offline.filter((userId) => still.has(userId)),
      { online: false, awayMs: offlineAfterMs },
    );
    return true;
  }

  async function writeEnds(): Promise<void> {
    const now = performance.now();
    try {
      for (const some of chunks([...unwritten], mostWritten)) {
        const agos = some.map(([userId, at]) => [userId, Math.round(now - at)] as const);
        for (const userId of await writeLastSeen(database, new Map(agos))) {
          // Not that of a socket that has ended meanwhile.
          if ((unwritten.get(userId) ?? now) < now) unwritten.delete(userId);
        }
      }
    } finally {
      for (const [userId, at] of unwritten)
        if (at <= performance.now() - patienceMs) unwritten.delete(userId);
    }
  }

  async function look(): Promise<void> {
    if (unwritten.size > 0) await writeEnds();
    for (const some of older(arrived, gatherMs)) await tellArrived(some);
    for (const some of older(gone, offlineAfterMs + 2 * lookEveryMs)) if (!(await tellGone(some))) return;
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

/** Those that have been in for so long, some at a time, until there are none: whoever gets them takes them out. */
function* older(users: ReadonlyMap<string, number>, ageMs: number): Iterable<Since[]> {
  const until = performance.now() - ageMs;
  for (;;) {
    const some = [...users.entries().take(mostTold)].filter(([, at]) => at <= until);
    if (some.length === 0) return;
    yield some;
  }
}
