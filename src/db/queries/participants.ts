import type { Database } from '../database.ts';
import {
  joinUser,
  participantColumns,
  participantOrder,
  present,
  type StoredParticipant,
} from './participant-columns.ts';

/** By the function that the store asks, too. */
const mayPostSql = `/* may_post */ SELECT may_post(me.role, (SELECT c.posting FROM chats c WHERE c.id = $1::uuid)) AS may
FROM chat_participants me WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** Undefined for who is not in the chat. */
export async function mayPost(
  database: Database,
  chatId: string,
  userId: string,
): Promise<boolean | undefined> {
  const [row] = await database.query<{ may: boolean }>(mayPostSql, [chatId, userId]);
  return row?.may;
}

const sizeSql = 'SELECT participant_count AS size FROM chats WHERE id = $1::uuid';

/** How many take part in the chat. */
export async function readSize(database: Database, chatId: string): Promise<number> {
  const [row] = await database.query<{ size: number }>(sizeSql, [chatId]);
  return row?.size ?? 0;
}

/** In a small chat anybody; to call a big one together is for those who lead it. */
const mayMentionEveryoneSql = `SELECT me.role <> 'member' OR (
  SELECT c.participant_count <= 50 FROM chats c WHERE c.id = $1::uuid
) AS may
FROM chat_participants me WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** Undefined for who is not in the chat. */
export async function mayMentionEveryone(
  database: Database,
  chatId: string,
  userId: string,
): Promise<boolean | undefined> {
  const [row] = await database.query<{ may: boolean }>(mayMentionEveryoneSql, [chatId, userId]);
  return row?.may;
}

/** How far somebody has read is shown where both they and the reader show it. */
const listParticipantsSql = `SELECT page.*
FROM chat_participants me
CROSS JOIN LATERAL (SELECT x.read_receipts, x.show_presence FROM users x WHERE x.id = me.user_id LIMIT 1) mine
LEFT JOIN LATERAL (
  SELECT ${participantColumns('p', 'u', 'mine')}, p.created_event_sequence AS "createdEventSequence",
    CASE WHEN mine.read_receipts AND u.read_receipts THEN p.read_through_sequence END AS "lastReadSequence"
  FROM chat_participants p
  ${joinUser('p', 'u')}
  WHERE p.chat_id = me.chat_id AND ${present('p')}
    AND (${participantOrder('p')}) > ($3::text::timestamptz, $4::bigint, $6::uuid)
  ORDER BY ${participantOrder('p')}
  LIMIT $5::int
) page ON true
WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** Where a page ends: the next one begins after it. */
export interface ParticipantPosition {
  /** ISO 8601, or `-infinity` for the very beginning. */
  joinedAt: string;
  createdEventSequence: number;
  userId: string;
}

export const participantsStart: ParticipantPosition = {
  joinedAt: '-infinity',
  createdEventSequence: 0,
  userId: '00000000-0000-0000-0000-000000000000',
};

export type ListedParticipant = Omit<StoredParticipant, 'lastReadSequence'> &
  ParticipantPosition & { lastReadSequence: number | null };

/** In `participantOrder`; undefined where there is no such chat, or the user takes no part in it. */
export async function listParticipants(
  database: Database,
  chatId: string,
  userId: string,
  after: ParticipantPosition,
  limit: number,
): Promise<ListedParticipant[] | undefined> {
  const parameters = [chatId, userId, after.joinedAt, after.createdEventSequence, limit, after.userId];
  const rows = await database.query<ListedParticipant>(listParticipantsSql, parameters);
  // The membership alone, with no participant beside it, is a page past the end.
  return rows.length === 0 ? undefined : rows.filter((row) => row.userId !== null);
}
