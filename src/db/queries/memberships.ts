import type { Database } from '../database.ts';
import { joinUser, participantColumns, type StoredParticipant } from './participant-columns.ts';

/** A chat the user takes part in, and its last `eventSequence` in the same snapshot. */
export interface Membership {
  userId: string;
  chatId: string;
  head: number;
}

/** The chats of a user. */
export interface UserMemberships {
  /** Read no later than any of them: another one once they have changed. Undefined where there is no such user. */
  version: number | undefined;
  /** The number of the last change to what the user has read and set. */
  ownVersion: number;
  readReceipts: boolean;
  showPresence: boolean;
  memberships: Membership[];
}

/** Of a user who is not there. */
export const noMemberships = (): UserMemberships => ({
  version: undefined,
  ownVersion: 0,
  readReceipts: true,
  showPresence: true,
  memberships: [],
});

/**
 * The first chats of each user after a given one, at most so many. The range of the user is of a single id: with the order it
 * leaves one index alone that needs no sorting. With `=` the primary key, which reads everybody's chats, looks as good in a
 * plan that was made on an empty table.
 */
const membershipsSql = `/* memberships */ SELECT w.user_id AS "userId", u.membership_version AS version, u.own_changes AS "ownVersion",
  u.read_receipts AS "readReceipts", u.show_presence AS "showPresence", p.chat_id AS "chatId", c.head
FROM unnest($1::uuid[], $2::uuid[]) AS w (user_id, after)
LEFT JOIN LATERAL (
  SELECT x.membership_version, x.own_changes, x.read_receipts, x.show_presence FROM users x WHERE x.id = w.user_id LIMIT 1
) u ON true
LEFT JOIN LATERAL (
  SELECT x.chat_id FROM chat_participants x
  WHERE x.user_id BETWEEN w.user_id AND w.user_id AND x.chat_id > w.after AND x.left_at IS NULL
  ORDER BY x.user_id, x.chat_id LIMIT $3::int
) p ON true
LEFT JOIN LATERAL (SELECT x.last_event_sequence AS head FROM chats x WHERE x.id = p.chat_id LIMIT 1) c ON true`;

type UserRow = { userId: string } & (
  | { version: number; ownVersion: number; readReceipts: boolean; showPresence: boolean }
  | { version: null }
);
type MembershipRow = UserRow & (Membership | { chatId: null });

/** Rows of one statement: it takes some 20 ms, whoever asks, and leaves the event loop to others in between. */
const mostMemberships = 20_000;
const beforeAll = '00000000-0000-0000-0000-000000000000';

/** All chats of all these users, however many they have. */
export async function readMemberships(
  database: Database,
  userIds: readonly string[],
): Promise<Map<string, UserMemberships>> {
  const found = new Map(userIds.map((userId) => [userId, noMemberships()]));
  /** @returns those of the users who may have more */
  async function read(some: readonly string[]): Promise<string[]> {
    const each = Math.max(1, Math.floor(mostMemberships / some.length));
    const afters = some.map((userId) => lastOf(found.get(userId)?.memberships ?? []));
    const rows = await database.query<MembershipRow>(membershipsSql, [some, afters, each]);
    const before = new Map(some.map((userId) => [userId, found.get(userId)?.memberships.length ?? 0]));
    for (const row of rows) {
      const user = found.get(row.userId);
      if (!user) continue;
      if (user.version === undefined && row.version !== null) {
        user.version = row.version;
        user.ownVersion = row.ownVersion;
        user.readReceipts = row.readReceipts;
        user.showPresence = row.showPresence;
      }
      if (row.chatId !== null) user.memberships.push(row);
    }
    return some.filter(
      (userId) => (found.get(userId)?.memberships.length ?? 0) - (before.get(userId) ?? 0) === each,
    );
  }

  let rest = userIds;
  // Fewer at a time from round to round, as those are left who have more: most have few, and are one statement.
  for (let size = userIds.length; rest.length > 0; size = Math.ceil(size / 2)) {
    const unfinished: string[] = [];
    for (let at = 0; at < rest.length; at += size)
      unfinished.push(...(await read(rest.slice(at, at + size))));
    rest = unfinished;
  }
  return found;
}

/** The last in the order of PostgreSQL, which is that of their text. */
function lastOf(memberships: readonly Membership[]): string {
  let last = beforeAll;
  for (const { chatId } of memberships) if (chatId > last) last = chatId;
  return last;
}

export interface UserVersions {
  userId: string;
  /** Of the chats that the user takes part in. */
  version: number;
  /** Of what the user has read and set. */
  ownVersion: number;
  readReceipts: boolean;
  showPresence: boolean;
  deactivated: boolean;
}

const versionsSql = `/* user_versions */ SELECT id AS "userId", membership_version AS version, own_changes AS "ownVersion",
  read_receipts AS "readReceipts", show_presence AS "showPresence",
  deactivated_at IS NOT NULL AS deactivated
FROM users WHERE id = ANY ($1::uuid[])`;

/** Of those of the users who are there. */
export async function readUserVersions(
  database: Database,
  userIds: readonly string[],
): Promise<Map<string, UserVersions>> {
  const rows = await database.query<UserVersions>(versionsSql, [userIds]);
  return new Map(rows.map((row) => [row.userId, row]));
}

export interface MembershipState {
  userId: string;
  chatId: string;
  present: boolean;
  /** The number of its last change: of the adding, or of the removal. */
  changedEventSequence: number;
  /** The chat's last number in the same snapshot. */
  head: number;
}

/** Of each pair its row, looked up by itself: a join could become a scan of all rows, in a plan that was made while there were none. */
const rowOfEach = `CROSS JOIN LATERAL (
  SELECT x.* FROM chat_participants x WHERE x.chat_id = w.chat_id AND x.user_id = w.user_id LIMIT 1
) p`;

const membershipStatesSql = `SELECT p.user_id AS "userId", p.chat_id AS "chatId", p.left_at IS NULL AS present,
  p.changed_event_sequence AS "changedEventSequence", c.head
FROM unnest($1::uuid[], $2::uuid[]) AS w (user_id, chat_id)
${rowOfEach}
CROSS JOIN LATERAL (SELECT x.last_event_sequence AS head FROM chats x WHERE x.id = p.chat_id LIMIT 1) c`;

/** Those of the pairs that have a row; a user who never took part has none. */
export function readMembershipStates(
  database: Database,
  pairs: readonly { userId: string; chatId: string }[],
): Promise<MembershipState[]> {
  return database.query(membershipStatesSql, [
    pairs.map(({ userId }) => userId),
    pairs.map(({ chatId }) => chatId),
  ]);
}

/** What became of a user in a chat. */
export interface Participation {
  userId: string;
  chatId: string;
  present: boolean;
  changedEventSequence: number;
  participant: StoredParticipant;
}

const participationsSql = `SELECT p.user_id AS "userId", p.chat_id AS "chatId", p.left_at IS NULL AS present,
  p.changed_event_sequence AS "changedEventSequence", row_to_json(shown) AS participant
FROM unnest($1::uuid[], $2::uuid[]) AS w (user_id, chat_id)
${rowOfEach}
${joinUser('p', 'u')}
CROSS JOIN LATERAL (SELECT ${participantColumns('p', 'u')}) shown`;

/** Those of the pairs, one user and one chat at the same place, that have a row. */
export function readParticipations(
  database: Database,
  userIds: readonly string[],
  chatIds: readonly string[],
): Promise<Participation[]> {
  return database.query(participationsSql, [userIds, chatIds]);
}

const aliveSessionsSql = `/* sessions */ SELECT id FROM sessions
WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL AND expires_at > now()`;

/** Those of the sessions that have not ended. */
export async function readAliveSessions(
  database: Database,
  sessionIds: readonly string[],
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(aliveSessionsSql, [sessionIds]);
  return new Set(rows.map(({ id }) => id));
}

const headsSql = `/* heads */ SELECT id AS "chatId", last_event_sequence AS head FROM chats WHERE id = ANY ($1::uuid[])`;

export function readHeads(
  database: Database,
  chatIds: readonly string[],
): Promise<{ chatId: string; head: number }[]> {
  return database.query(headsSql, [chatIds]);
}
