import type { Announce } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { type MembershipWrite, writeMemberships } from '../db/queries/write-memberships.ts';
import type { Membership, MembershipSettings } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { createGatherReads } from './gather-reads.ts';
import { membershipNotifications } from './membership-notifications.ts';

interface OfChat {
  userId: string;
  chatId: string;
}

/** What one does to one's own membership. No chat is locked for it, and no number of a chat's is taken. */
export interface ChangeMembership {
  /** Never backwards, and no further than the last message. */
  markRead(input: OfChat & { sequence: number; version?: number | undefined }): Promise<Membership>;
  /** This message, and what comes after it, is unread. */
  markUnread(input: OfChat & { sequence: number }): Promise<Membership>;
  set(input: OfChat & { settings: MembershipSettings }): Promise<Membership>;
}

/**
 * @param deps.liveMax chats of more participants are not told who has read
 * @throws ChatError `chat_not_found`, `database_unavailable`
 */
export function createChangeMembership(deps: {
  database: Database;
  announce: Announce;
  liveMax: number;
}): ChangeMembership {
  const { database, announce, liveMax } = deps;
  const reads = createGatherReads(database, (written) => {
    void announce(membershipNotifications(written, liveMax));
  });

  async function write(one: MembershipWrite): Promise<Membership> {
    const written = await writeMemberships(database, [one]);
    const [first] = written;
    if (!first) throw new ChatError('chat_not_found');
    void announce(membershipNotifications(written, liveMax));
    return first.membership;
  }

  return {
    markRead: async (read) => (await reads.read(read)).membership,
    async markUnread({ sequence, ...ofChat }) {
      // A read that is being gathered was asked for before.
      await reads.settled(ofChat);
      return write({ ...ofChat, unreadFrom: sequence });
    },
    set: (input) => write(input),
  };
}
