import type { Database } from '../db/database.ts';
import type { Membership } from '../db/queries/memberships.ts';
import { readAliveSessions, readHeads, readMemberships } from '../db/queries/memberships.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Sequencer } from './sequencer.ts';
import type { Sessions } from './sessions.ts';
import type { Users } from './users.ts';

/** Rows of one statement. */
const mostKeys = 1_000;

/** How late a lost hint is noticed; jittered, so that gateways do not ask in step. */
const comparisonMs = 30_000;

export interface Comparison {
  /**
   * Heads, memberships and sessions of all that is local, in bulk; tries again until PostgreSQL answers. It happens by
   * itself twice a minute; this is for when it is known that hints were lost.
   */
  now(): void;
  /** Memberships and sessions of one user. */
  user(userId: string): void;
  stop(): void;
}

/** What hints may have missed: everything local is held against PostgreSQL. */
export function createComparison(deps: {
  database: Database;
  users: Users;
  sequencer: Sequencer;
  sessions: Sessions;
  watchMembership: (userId: string, chatId: string) => void;
  log: Logger;
  /** The longest time between two comparisons, in milliseconds. */
  everyMs?: number | undefined;
}): Comparison {
  const { database, users, sequencer, sessions, watchMembership, log, everyMs = comparisonMs } = deps;
  const stopping = new AbortController();
  let wanted = false;
  let running = false;

  async function compareHeads(): Promise<void> {
    const delivered = sequencer.delivered();
    for (const chatIds of chunks([...delivered.keys()])) {
      for (const { chatId, head } of await readHeads(database, chatIds)) {
        sequencer.restored(chatId, delivered.get(chatId) ?? 0, head);
        sequencer.hint(chatId, head);
      }
    }
  }

  async function compareMemberships(userIds: ReadonlySet<string>): Promise<void> {
    for (const some of chunks([...userIds])) {
      const memberships = await readMemberships(database, some);
      const byUser = Map.groupBy(memberships, ({ userId }) => userId);
      for (const userId of some) compareUser(userId, byUser.get(userId) ?? []);
    }
  }

  function compareUser(userId: string, memberships: readonly Membership[]): void {
    const differing = new Set<string>();
    for (const { chats } of users.of(userId)) {
      // Nearly always, and there are thousands of users.
      if (chats.size === memberships.length && memberships.every(({ chatId }) => chats.has(chatId))) continue;
      const chatIds = new Set(memberships.map(({ chatId }) => chatId));
      for (const chatId of chatIds.symmetricDifference(chats)) differing.add(chatId);
    }
    for (const chatId of differing) watchMembership(userId, chatId);
  }

  async function compareSessions(): Promise<void> {
    const userOf = new Map<string, string>();
    for (const { userId, sessionId } of users.all()) if (sessionId) userOf.set(sessionId, userId);
    for (const some of chunks([...userOf.keys()])) {
      const alive = await readAliveSessions(database, some);
      for (const sessionId of some) {
        const userId = userOf.get(sessionId);
        if (userId !== undefined && !alive.has(sessionId)) sessions.doubt(userId, sessionId);
      }
    }
  }

  async function run(): Promise<void> {
    for (let attempt = 0; wanted && !stopping.signal.aborted; attempt += 1) {
      wanted = false;
      try {
        await compareHeads();
        await compareMemberships(new Set([...users.all()].map(({ userId }) => userId)));
        await compareSessions();
        attempt = -1;
      } catch (error) {
        if (attempt === 0) log.warn({ err: error }, 'comparing with PostgreSQL failed; trying again');
        wanted = true;
        await pause(fullJitterMs(attempt), stopping.signal);
      }
    }
    running = false;
  }

  function now(): void {
    wanted = true;
    if (running || stopping.signal.aborted) return;
    running = true;
    run().catch((error) => log.error({ err: error }, 'comparing with PostgreSQL failed'));
  }

  async function keepComparing(): Promise<void> {
    for (;;) {
      await pause(everyMs * (0.7 + 0.3 * Math.random()), stopping.signal);
      if (stopping.signal.aborted) return;
      now();
    }
  }
  keepComparing();

  return {
    now,
    user(userId) {
      for (const { sessionId } of users.of(userId)) if (sessionId) sessions.doubt(userId, sessionId);
      compareMemberships(new Set([userId])).catch((error) => {
        log.warn({ err: error }, 'comparing with PostgreSQL failed; the next comparison does it');
      });
    },
    stop: () => stopping.abort(),
  };
}

function* chunks<Item>(items: readonly Item[]): Iterable<Item[]> {
  for (let at = 0; at < items.length; at += mostKeys) yield items.slice(at, at + mostKeys);
}
