import type { Socket } from 'socket.io';
import type { Database } from '../db/database.ts';
import type { Membership } from '../db/queries/memberships.ts';
import { readMemberships } from '../db/queries/memberships.ts';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import { type Cursors, takeCursors } from './cursors.ts';
import { frameOf } from './fan-out.ts';
import type { GatewayIdentity, Member } from './member.ts';
import { createMember } from './member.ts';
import type { Left, Resume } from './resume.ts';
import type { Sequencer } from './sequencer.ts';
import type { Sessions } from './sessions.ts';
import { tokenOf } from './token.ts';
import type { Users } from './users.ts';

/**
 * Signature and claims alone: whether the session is alive, the gateway asks PostgreSQL for many connects at once.
 * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `database_unavailable`
 */
export type VerifySocketToken = (token: string | undefined) => Promise<GatewayIdentity>;

/** A connect under way: who it is, and its chats with the number up to which it knows each. */
export interface Admitted {
  member: Member;
  memberships: readonly Membership[];
  /** Where the client gave cursors. */
  resume: { cursors: Cursors; left: readonly Left[] } | undefined;
}

export interface Connecting {
  /**
   * Before CONNECT is answered: who is it, which chats, all topics acknowledged. So a client that has seen `connect` misses
   * nothing that is sent from then on.
   * @throws ChatError
   */
  admit(socket: Socket): Promise<Admitted>;
  /** In the tick in which CONNECT is answered: into all rooms; then `chat.ready`. With cursors, what was missed is told on the way. */
  goLive(admitted: Admitted): void;
}

/** Users whose memberships are read in one statement. */
const mostUsers = 200;
/** Memberships that never hold still: somebody adds and removes the user all the time. */
const mostReads = 10;

export function createConnecting(deps: {
  verifyToken: VerifySocketToken;
  /** Calls `depart` when the connection is closed; false if it is already. */
  carry: (connection: Socket['conn'], member: Member, depart: (member: Member) => void) => boolean;
  database: Database;
  users: Users;
  sessions: Sessions;
  sequencer: Sequencer;
  resume: Resume;
  watchMembership: (userId: string, chatId: string) => void;
  log: Logger;
}): Connecting {
  const { verifyToken, users, sessions, sequencer, resume, log } = deps;
  const membershipsOf = createBatcher<string, Membership[]>({
    load: async (userIds) => {
      const byUser = Map.groupBy(await readMemberships(deps.database, userIds), ({ userId }) => userId);
      return userIds.map((userId) => byUser.get(userId) ?? []);
    },
    keyOf: (userId) => userId,
    mostKeys: mostUsers,
  });

  function depart(member: Member): void {
    member.closed = true;
    member.live = false;
    for (const chatId of [...member.chats]) sequencer.leave(member, chatId);
    users.remove(member);
  }

  /** Memberships as PostgreSQL has them after all topics were acknowledged, and after the last hint of a change. */
  async function settle(member: Member, cursors: Cursors | undefined): Promise<Admitted> {
    for (let reads = 0; reads < mostReads; reads += 1) {
      member.stale = false;
      const readAt = sequencer.now();
      const [memberships, alive] = await Promise.all([
        membershipsOf(member.userId),
        member.sessionId === undefined || sessions.isAlive(member.sessionId),
      ]);
      if (!alive) throw new ChatError('session_revoked');
      const chatIds = new Set(memberships.map(({ chatId }) => chatId));
      for (const chatId of member.chats) if (!chatIds.has(chatId)) sequencer.leave(member, chatId);
      const known = await sequencer.hold(member, [...chatIds], readAt);
      const left = cursors ? await resume.leftOf(member, cursors, memberships) : [];
      if (member.refused) throw member.refused;
      // Somebody added the user again since the memberships were read.
      const cameBack = left.some(({ participation }) => participation?.present);
      if (member.closed || (known && !member.stale && !cameBack)) {
        return { member, memberships, resume: cursors && { cursors, left } };
      }
    }
    throw new ChatError('server_busy');
  }

  function enterAll(member: Member, memberships: readonly Membership[]): Promise<unknown> {
    const further = memberships.filter(
      ({ chatId, head }) => member.chats.has(chatId) && !sequencer.enter(member, chatId, head),
    );
    return Promise.all(further.map(({ chatId, head }) => sequencer.join(member, chatId, head)));
  }

  return {
    async admit(socket) {
      const identity = await verifyToken(tokenOf(socket.handshake));
      const cursors = takeCursors(socket.handshake);
      const member = createMember(socket, identity);
      const subscribed = users.add(member);
      // Closed while the token was being checked: the event is over.
      if (!deps.carry(socket.conn, member, depart)) depart(member);
      try {
        await subscribed;
        return await settle(member, cursors);
      } catch (error) {
        depart(member);
        throw error;
      }
    },

    goLive({ member, memberships, resume: resumption }) {
      if (member.closed) return;
      if (member.refused) return member.close();
      member.live = true;
      const entered = resumption
        ? resume.start({ member, memberships, ...resumption })
        : enterAll(member, memberships);
      const ready = frameOf('chat.ready', '{}');
      entered
        .then(() => {
          if (!member.closed) member.send(ready);
        })
        .catch((error) => {
          log.warn({ err: error }, 'a socket could not join all of its chats; it is closed and comes back');
          member.close();
        });
    },
  };
}
