import type { Database } from '../database.ts';
import { participantColumns, type StoredParticipant } from './participant-columns.ts';

/** A chat the user takes part in, and its last `eventSequence` in the same snapshot. */
export interface Membership {
  userId: string;
  chatId: string;
  head: number;
}

const membershipsSql = `SELECT p.user_id AS "userId", p.chat_id AS "chatId", c.last_event_sequence AS head
FROM chat_participants p
JOIN chats c ON c.id = p.chat_id
WHERE p.user_id = ANY ($1::uuid[]) AND p.left_at IS NULL`;

/** All chats of all these users, in one statement. */
export function readMemberships(database: Database, userIds: readonly string[]): Promise<Membership[]> {
  return database.query(membershipsSql, [userIds]);
}

export interface MembershipState {
  userId: string;
  chatId: string;
  present: boolean;
  /** The number of its last change: of the adding, or of the removal. */
  changedEventSequence: number;
}

const membershipStatesSql = `SELECT p.user_id AS "userId", p.chat_id AS "chatId", p.left_at IS NULL AS present,
  p.changed_event_sequence AS "changedEventSequence"
FROM unnest($1::uuid[], $2::uuid[]) AS w (user_id, chat_id)
JOIN chat_participants p ON p.chat_id = w.chat_id AND p.user_id = w.user_id`;

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
JOIN chat_participants p ON p.chat_id = w.chat_id AND p.user_id = w.user_id
JOIN users u ON u.id = p.user_id
CROSS JOIN LATERAL (SELECT ${participantColumns('p', 'u')}) shown`;

/** Those of the pairs, one user and one chat at the same place, that have a row. */
export function readParticipations(
  database: Database,
  userIds: readonly string[],
  chatIds: readonly string[],
): Promise<Participation[]> {
  return database.query(participationsSql, [userIds, chatIds]);
}

const aliveSessionsSql = `SELECT id FROM sessions
WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL AND expires_at > now()`;

/** Those of the sessions that have not ended. */
export async function readAliveSessions(
  database: Database,
  sessionIds: readonly string[],
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(aliveSessionsSql, [sessionIds]);
  return new Set(rows.map(({ id }) => id));
}

const headsSql = `SELECT id AS "chatId", last_event_sequence AS head FROM chats WHERE id = ANY ($1::uuid[])`;

export function readHeads(
  database: Database,
  chatIds: readonly string[],
): Promise<{ chatId: string; head: number }[]> {
  return database.query(headsSql, [chatIds]);
}
