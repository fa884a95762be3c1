import type { Database } from '../db/database.ts';
import type { Membership, UserMemberships } from '../db/queries/memberships.ts';
import { noMemberships, readMemberships } from '../db/queries/memberships.ts';
import type { OwnMemberships as Own } from '../db/queries/own-memberships.ts';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import type { ConnectLimits } from './connect-limits.ts';
import type { Connection } from './connection.ts';
import { type Cursors, takeCursors, takeMembershipsSince } from './cursors.ts';
import { frameOf } from './fan-out.ts';
import type { GatewayIdentity, Member } from './member.ts';
import { createMember } from './member.ts';
import type { Known, OwnMemberships } from './own-memberships.ts';
import type { Left, Resume } from './resume.ts';
import type { Sequencer } from './sequencer.ts';
import type { Sessions } from './sessions.ts';
import { type Handshake, tokenOf } from './token.ts';
import type { Users } from './users.ts';

/**
 * Signature and claims alone: whether the session is alive, the gateway asks PostgreSQL for many connects at once.
 * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `database_unavailable`
 */
export type VerifySocketToken = (token: string | undefined) => Promise<GatewayIdentity>;

/** Who asks to join `/chat`, and by what. */
export interface Applicant {
  /** Of its socket there. */
  id: string;
  connection: Connection;
  handshake: Handshake;
}

/** A connect under way: who it is, and its chats with the number up to which it knows each. */
export interface Admitted {
  member: Member;
  memberships: readonly Membership[];
  /** Of the memberships. */
  version: number | undefined;
  /** What the user has read and set. */
  own: Own;
  /** What was known of that before it was read. */
  before: Known | undefined;
  /** Where the client gave cursors. */
  resume: { cursors: Cursors; left: Left } | undefined;
}

export interface Connecting {
  /**
   * Before CONNECT is answered: who is it, which chats, all topics acknowledged. So a client that has seen `connect` misses
   * nothing that is sent from then on.
   * @throws ChatError
   */
  admit(applicant: Applicant): Promise<Admitted>;
  /** In the tick in which CONNECT is answered: into all rooms; then `chat.ready`. With cursors, what was missed is told on the way. */
  goLive(admitted: Admitted): void;
}

/** Users whose memberships are read in one statement. */
const mostUsers = 200;
/** Memberships that never hold still: somebody adds and removes the user all the time. */
const mostReads = 10;

export function createConnecting(deps: {
  verifyToken: VerifySocketToken;
  database: Database;
  users: Users;
  limits: ConnectLimits;
  sessions: Sessions;
  sequencer: Sequencer;
  resume: Resume;
  ownMemberships: OwnMemberships;
  watchMembership: (userId: string, chatId: string) => void;
  log: Logger;
}): Connecting {
  const { verifyToken, users, limits, sessions, sequencer, resume, ownMemberships, log } = deps;
  const membershipsOf = createBatcher<string, UserMemberships>({
    load: async (userIds) => {
      const byUser = await readMemberships(deps.database, userIds);
      return userIds.map((userId) => byUser.get(userId) ?? noMemberships());
    },
    keyOf: (userId) => userId,
    mostKeys: mostUsers,
  });

  async function identityOf(handshake: Handshake, connection: Connection): Promise<GatewayIdentity> {
    try {
      return await verifyToken(tokenOf(handshake));
    } catch (error) {
      return limits.refuse(error, connection.handshake?.address);
    }
  }

  function depart(member: Member): void {
    member.closed = true;
    member.live = false;
    for (const chatId of [...member.chats]) sequencer.leave(member, chatId);
    users.remove(member);
  }

  /** Memberships as PostgreSQL has them after all topics were acknowledged, and after the last hint of a change. */
  async function settle(member: Member, handshake: Handshake): Promise<Admitted> {
    const cursors = takeCursors(handshake);
    const since = takeMembershipsSince(handshake);
    const before = ownMemberships.known(member.userId);
    const readOwn = async () =>
      since === undefined ? undefined : await ownMemberships.read(member.userId, since);
    let acknowledged = false;
    // Once: the user's topic is acknowledged, so of an end after this a notification tells, and refuses the member.
    const ended = sessions.endOf(member.userId, member.sessionId);
    for (let reads = 0; reads < mostReads; reads += 1) {
      member.stale = false;
      const readAt = sequencer.now();
      const [{ memberships, version, ownVersion, readReceipts, showPresence }, end, read] = await Promise.all(
        [membershipsOf(member.userId), ended, acknowledged ? readOwn() : undefined],
      );
      if (end) throw new ChatError(end);
      const chatIds = new Set(memberships.map(({ chatId }) => chatId));
      for (const chatId of member.chats) if (!chatIds.has(chatId)) sequencer.leave(member, chatId);
      if (!(await sequencer.hold(member, [...chatIds], readAt))) {
        acknowledged = true;
        continue;
      }
      // Once all topics are acknowledged: of a change after this one of them tells, and that a socket has to be told of it.
      const own = read ??
        (await readOwn()) ?? { version: ownVersion, readReceipts, showPresence, memberships: [] };
      const left = cursors && (await resume.leftOf(member, cursors, memberships));
      if (member.refused) throw member.refused;
      // Somebody added the user again since the memberships were read.
      const cameBack = left?.participations.values().some(({ present }) => present);
      if (member.closed || (!member.stale && !cameBack)) {
        return { member, memberships, version, own, before, resume: cursors && left && { cursors, left } };
      }
    }
    throw new ChatError('server_busy');
  }

  /** @returns undefined when it is done: nearly always, for where the room is has just been read */
  function enterAll(member: Member, memberships: readonly Membership[]): Promise<unknown> | undefined {
    let joins: Promise<void>[] | undefined;
    for (const { chatId, head } of memberships) {
      if (!member.chats.has(chatId) || sequencer.enter(member, chatId, head)) continue;
      joins ??= [];
      joins.push(sequencer.join(member, chatId, head));
    }
    return joins && Promise.all(joins);
  }

  return {
    async admit({ id, connection, handshake }) {
      const identity = await identityOf(handshake, connection);
      limits.assertRoom(identity.userId);
      const member = createMember(connection, id, identity);
      const subscribed = users.add(member);
      // Closed while the token was being checked: the event is over.
      if (!connection.carry(member, depart)) depart(member);
      try {
        const taken = limits.take(member.userId);
        const everywhere = limits.assertRoomEverywhere(member.userId);
        if (taken || everywhere) await Promise.all([subscribed, taken, everywhere]);
        else await subscribed;
        return await settle(member, handshake);
      } catch (error) {
        depart(member);
        throw error;
      }
    },

    goLive({ member, memberships, version, own, before, resume: resumption }) {
      if (member.closed) return;
      if (member.refused) return member.close('revoked');
      users.goesLive(member, version);
      member.live = true;
      const ready = () => {
        if (!member.closed) member.send(frameOf('chat.ready', `{"membershipVersion":${own.version}}`));
      };
      const failed = (error: unknown) => {
        log.warn({ err: error }, 'a socket could not join all of its chats; it is closed and comes back');
        member.close('error');
      };
      try {
        ownMemberships.goesLive(member, own, before);
        if (!resumption) resume.none();
        const entered = resumption
          ? resume.start({ member, memberships, ...resumption })
          : enterAll(member, memberships);
        if (entered) entered.then(ready).catch(failed);
        else ready();
      } catch (error) {
        failed(error);
      }
    },
  };
}
