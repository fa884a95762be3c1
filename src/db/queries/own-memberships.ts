import type { Membership } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { joinUnread, membershipJson } from './membership-columns.ts';

/** What a user has read and set, as far as it was asked for. */
export interface OwnMemberships {
  /** The number of the last change to any of them. */
  version: number;
  readReceipts: boolean;
  /** Those of a higher version than was asked for, so many as were. */
  memberships: Membership[];
}

export interface OwnMembershipsWanted {
  userId: string;
  /** All for a version beyond the user's, as after a restore. */
  since: number;
}

/** A user's rows are looked at where one of them has changed. */
const ownSql = `SELECT w.ord::int - 1 AS at, u.own_changes AS version, u.read_receipts AS "readReceipts", m.membership
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS w (user_id, since, ord)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.user_id LIMIT 1) u
LEFT JOIN LATERAL (
  SELECT ${membershipJson('me', 'c')} AS membership
  FROM (
    SELECT x.* FROM chat_participants x
    WHERE w.since <> u.own_changes AND x.user_id BETWEEN w.user_id AND w.user_id AND x.left_at IS NULL
      AND x.membership_version > CASE WHEN w.since > u.own_changes THEN -1 ELSE w.since END
    ORDER BY x.user_id, x.chat_id LIMIT $3::int
  ) me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
  ${joinUnread('me', 'c')}
) m ON true
ORDER BY w.ord`;

interface Row {
  at: number;
  version: number;
  readReceipts: boolean;
  membership: Membership | null;
}

/** In the order of `wanted`; undefined for a user who is not there. */
export async function readOwnMemberships(
  database: Database,
  wanted: readonly OwnMembershipsWanted[],
  most: number,
): Promise<(OwnMemberships | undefined)[]> {
  const sinces = wanted.map(({ since }) => since);
  const rows = await database.query<Row>(ownSql, [wanted.map(({ userId }) => userId), sinces, most]);
  const found: (OwnMemberships | undefined)[] = wanted.map(() => undefined);
  for (const { at, version, readReceipts, membership } of rows) {
    found[at] ??= { version, readReceipts, memberships: [] };
    if (membership) found[at].memberships.push(membership);
  }
  return found;
}
