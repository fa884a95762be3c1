import type { Membership } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { joinUnread, membershipJson } from './membership-columns.ts';

/** What a user has read and set, as far as it was asked for. */
export interface OwnMemberships {
  /** The number of the last change to any of them. */
  version: number;
  readReceipts: boolean;
  showPresence: boolean;
  /** Those of a higher version than was asked for; undefined if they are more than was asked for. */
  memberships: Membership[] | undefined;
}

export interface OwnMembershipsWanted {
  userId: string;
  /** All for a version beyond the user's, as after a restore. */
  since: number;
}

/** A user's rows are looked at where one of them has changed, and messages where they are not too many to be told. */
const ownSql = `/* own_memberships */ SELECT w.ord::int - 1 AS at, u.own_changes AS version, u.read_receipts AS "readReceipts",
  u.show_presence AS "showPresence", cardinality(changed.chat_ids) > $3::int AS "tooMany", m.membership
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS w (user_id, since, ord)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.user_id LIMIT 1) u
CROSS JOIN LATERAL (
  SELECT ARRAY(
    SELECT x.chat_id FROM chat_participants x
    WHERE w.since <> u.own_changes AND x.user_id BETWEEN w.user_id AND w.user_id AND x.left_at IS NULL
      AND x.membership_version > CASE WHEN w.since > u.own_changes THEN -1 ELSE w.since END
    ORDER BY x.user_id, x.chat_id LIMIT $3::int + 1
  ) AS chat_ids OFFSET 0
) changed
LEFT JOIN LATERAL (
  SELECT ${membershipJson('me', 'c')} AS membership
  FROM unnest(CASE WHEN cardinality(changed.chat_ids) <= $3::int THEN changed.chat_ids END) AS k (chat_id)
  CROSS JOIN LATERAL (
    SELECT x.* FROM chat_participants x WHERE x.chat_id = k.chat_id AND x.user_id = w.user_id LIMIT 1
  ) me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
  ${joinUnread('me', 'c')}
) m ON true
ORDER BY w.ord`;

interface Row {
  at: number;
  version: number;
  readReceipts: boolean;
  showPresence: boolean;
  tooMany: boolean;
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
  for (const { at, version, readReceipts, showPresence, tooMany, membership } of rows) {
    found[at] ??= { version, readReceipts, showPresence, memberships: tooMany ? undefined : [] };
    if (membership) found[at].memberships?.push(membership);
  }
  return found;
}
