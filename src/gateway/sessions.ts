import type { Database } from '../db/database.ts';
import { isDatabaseUnavailable } from '../db/errors.ts';
import { readAliveSessions, readUserVersions } from '../db/queries/memberships.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { ErrorCode } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import type { Member } from './member.ts';
import type { Users } from './users.ts';

const mostSessions = 1_000;

export interface Sessions {
  /** Why it has ended, one of an outside provider with its user's deactivation; undefined while it has not. */
  endOf(userId: string, sessionId: string | undefined): Promise<ErrorCode | undefined>;
  /** Somebody says that it has ended: if PostgreSQL says so too, its sockets' transports are closed. */
  doubt(userId: string, sessionId: string | undefined): void;
  /** All that the user's sockets are of. */
  doubtAll(userId: string): void;
}

export function createSessions(deps: { database: Database; users: Users; log: Logger }): Sessions {
  const { database, users, log } = deps;
  const isAlive = createBatcher<string, boolean>({
    load: async (sessionIds) => {
      const alive = await readAliveSessions(database, sessionIds);
      return sessionIds.map((sessionId) => alive.has(sessionId));
    },
    keyOf: (sessionId) => sessionId,
    mostKeys: mostSessions,
  });

  const isDeactivated = createBatcher<string, boolean>({
    load: async (userIds) => {
      const users = await readUserVersions(database, userIds);
      return userIds.map((userId) => users.get(userId)?.deactivated ?? false);
    },
    keyOf: (userId) => userId,
    mostKeys: mostSessions,
  });

  const socketsOf = (userId: string, sessionId: string | undefined): Member[] =>
    [...users.of(userId)].filter((member) => member.sessionId === sessionId);

  async function endOf(userId: string, sessionId: string | undefined): Promise<ErrorCode | undefined> {
    if (sessionId === undefined) return (await isDeactivated(userId)) ? 'user_deactivated' : undefined;
    return (await isAlive(sessionId)) ? undefined : 'session_revoked';
  }

  async function closeIfEnded(userId: string, sessionId: string | undefined): Promise<void> {
    for (let attempt = 0; socketsOf(userId, sessionId).length > 0; attempt += 1) {
      try {
        const code = await endOf(userId, sessionId);
        if (code === undefined) return;
        for (const member of socketsOf(userId, sessionId)) {
          // One that is still connecting is told why; the others are when they come back.
          member.refused = new ChatError(code);
          if (member.live) member.close('revoked');
        }
        return;
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        await pause(fullJitterMs(attempt));
      }
    }
  }

  function doubt(userId: string, sessionId: string | undefined): void {
    closeIfEnded(userId, sessionId).catch((error) => {
      log.error({ err: error }, 'a session could not be looked at');
    });
  }

  return {
    endOf,
    doubt,
    doubtAll(userId) {
      for (const sessionId of new Set([...users.of(userId)].map((member) => member.sessionId)))
        doubt(userId, sessionId);
    },
  };
}
