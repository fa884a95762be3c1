import type { Database } from '../db/database.ts';
import type { Membership } from '../db/queries/memberships.ts';
import {
  readAliveSessions,
  readHeads,
  readMemberships,
  readUserVersions,
} from '../db/queries/memberships.ts';
import { pause } from '../shared/backoff.ts';
import { chunks } from '../shared/chunks.ts';
import type { Logger } from '../shared/log.ts';
import type { OwnMemberships } from './own-memberships.ts';
import type { Sequencer } from './sequencer.ts';
import type { Sessions } from './sessions.ts';
import { untilDone } from './until-done.ts';
import type { Users } from './users.ts';

/** Rows of one statement. */
const mostKeys = 1_000;
/** Users whose memberships are held at once. */
const mostUsers = 100;

/** How late a lost hint is noticed; jittered, so that gateways do not ask in step. */
const comparisonMs = 30_000;

export interface Comparison {
  /**
   * Heads, memberships and sessions of all that is local, in bulk, each by itself and tried again until PostgreSQL answers.
   * It happens by itself twice a minute; this is for when it is known that hints were lost.
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
  ownMemberships: OwnMemberships;
  watchMembership: (userId: string, chatId: string) => void;
  log: Logger;
  /** The longest time between two comparisons, in milliseconds. */
  everyMs?: number | undefined;
}): Comparison {
  const {
    database,
    users,
    sequencer,
    sessions,
    ownMemberships,
    watchMembership,
    log,
    everyMs = comparisonMs,
  } = deps;
  const stopping = new AbortController();

  async function compareHeads(): Promise<void> {
    const delivered = sequencer.delivered();
    for (const chatIds of chunks([...delivered.keys()], mostKeys)) {
      for (const { chatId, head } of await readHeads(database, chatIds)) {
        sequencer.restored(chatId, delivered.get(chatId) ?? 0, head);
        sequencer.hint(chatId, head, 'comparison');
      }
    }
  }

  /** The memberships are read of those users alone whose version is another one than that their sockets agree with. */
  async function compareMemberships(userIds: Iterable<string>): Promise<void> {
    for (const some of chunks([...new Set(userIds)], mostKeys)) {
      const known = some.map(ownMemberships.known);
      const versions = await readUserVersions(database, some);
      some.forEach((userId, at) => {
        const read = versions.get(userId);
        if (read) ownMemberships.compare(read, known[at]);
        if (read?.deactivated) sessions.doubtAll(userId);
      });
      const changed = some.filter((userId) => {
        const version = versions.get(userId)?.version;
        return version === undefined || version !== users.membershipVersion(userId);
      });
      for (const few of chunks(changed, mostUsers)) {
        for (const [userId, { version, memberships }] of await readMemberships(database, few)) {
          if (agrees(userId, memberships)) users.setMembershipVersion(userId, version);
        }
      }
    }
  }

  /** Whether the user's sockets are where they belong; where one is not, that is looked at. */
  function agrees(userId: string, memberships: readonly Membership[]): boolean {
    const differing = new Set<string>();
    for (const { live, chats } of users.of(userId)) {
      // Who is connecting reads by itself.
      if (!live) continue;
      if (chats.size === memberships.length && memberships.every(({ chatId }) => chats.has(chatId))) continue;
      const chatIds = new Set(memberships.map(({ chatId }) => chatId));
      for (const chatId of chatIds.symmetricDifference(chats)) differing.add(chatId);
    }
    for (const chatId of differing) watchMembership(userId, chatId);
    return differing.size === 0;
  }

  async function compareSessions(): Promise<void> {
    const userOf = new Map<string, string>();
    for (const { userId, sessionId } of users.all()) if (sessionId) userOf.set(sessionId, userId);
    for (const some of chunks([...userOf.keys()], mostKeys)) {
      const alive = await readAliveSessions(database, some);
      for (const sessionId of some) {
        const userId = userOf.get(sessionId);
        if (userId !== undefined && !alive.has(sessionId)) sessions.doubt(userId, sessionId);
      }
    }
  }

  const options = { log, signal: stopping.signal };
  const parts = [
    untilDone('heads', compareHeads, options),
    untilDone('memberships', () => compareMemberships(localUsers()), options),
    untilDone('sessions', compareSessions, options),
  ];

  function* localUsers(): Iterable<string> {
    for (const { userId } of users.all()) yield userId;
  }

  function now(): void {
    for (const compare of parts) compare();
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
      sessions.doubtAll(userId);
      compareMemberships([userId]).catch((error) => {
        log.warn({ err: error }, 'comparing with PostgreSQL failed; the next comparison does it');
      });
    },
    stop: () => stopping.abort(),
  };
}
