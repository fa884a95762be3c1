import type { Database } from '../db/database.ts';
import { isDatabaseUnavailable } from '../db/errors.ts';
import { readAliveSessions } from '../db/queries/memberships.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import type { Member } from './member.ts';
import type { Users } from './users.ts';

const mostSessions = 1_000;

export interface Sessions {
  isAlive(sessionId: string): Promise<boolean>;
  /** Somebody says that it has ended: if PostgreSQL says so too, its sockets' transports are closed. */
  doubt(userId: string, sessionId: string): void;
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

  const socketsOf = (userId: string, sessionId: string): Member[] =>
    [...users.of(userId)].filter((member) => member.sessionId === sessionId);

  async function closeIfEnded(userId: string, sessionId: string): Promise<void> {
    for (let attempt = 0; socketsOf(userId, sessionId).length > 0; attempt += 1) {
      try {
        if (await isAlive(sessionId)) return;
        for (const member of socketsOf(userId, sessionId)) {
          // One that is still connecting is told why; the others are when they come back.
          member.refused = new ChatError('session_revoked');
          if (member.live) member.close();
        }
        return;
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        await pause(fullJitterMs(attempt));
      }
    }
  }

  return {
    isAlive,
    doubt(userId, sessionId) {
      closeIfEnded(userId, sessionId).catch((error) => {
        log.error({ err: error }, 'a session could not be looked at');
      });
    },
  };
}
