import type { Membership, MembershipSettings } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { iso } from '../database.ts';
import { joinUnread, membershipJson } from './membership-columns.ts';

/** What a user does to their own membership of a chat; where it is nothing, what is not known yet becomes known. */
export interface MembershipWrite {
  userId: string;
  chatId: string;
  /** Up to here all is read; nothing changes if the row is of a later version than `ifVersion`. */
  readTo?: number;
  ifVersion?: number | undefined;
  /** From here on all is unread. */
  unreadFrom?: number;
  settings?: MembershipSettings;
}

export interface WrittenMembership {
  /** The place of its write. */
  at: number;
  userId: string;
  /** Whether it has a new version. */
  changed: boolean;
  /** How far the user has ever read, where that is further than before. */
  readThrough: number | null;
  readAt: string;
  /** Whether others are told. */
  readReceipts: boolean;
  participantCount: number;
  membership: Membership;
}

const writeSql = `/* write_memberships */ SELECT me.ord - 1 AS at, me.user_id AS "userId", me.changed,
  CASE WHEN me.read_on THEN me.read_through_sequence END AS "readThrough", ${iso('now()')} AS "readAt",
  me.read_receipts AS "readReceipts", c.participant_count AS "participantCount", ${membershipJson('me', 'c')} AS membership
FROM write_memberships($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]::json[]) me
CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
${joinUnread('me', 'c')}
ORDER BY me.ord`;

/**
 * One statement, one commit. The function is the one of `drizzle/`, which locks the rows in an order of its own.
 * @param writes each pair of user and chat once
 * @returns those of the memberships that are there
 */
export function writeMemberships(
  database: Database,
  writes: readonly MembershipWrite[],
): Promise<WrittenMembership[]> {
  return database.query(writeSql, [
    writes.map(({ userId }) => userId),
    writes.map(({ chatId }) => chatId),
    writes.map(({ readTo }) => readTo ?? null),
    writes.map(({ ifVersion }) => ifVersion ?? null),
    writes.map(({ unreadFrom }) => unreadFrom ?? null),
    writes.map(({ settings }) => (settings ? JSON.stringify(settings) : null)),
  ]);
}
