import type { Chat } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { iso } from '../database.ts';
import { messageAt, messageJson } from './message-columns.ts';
import { joinUser, participantOrder, present, type StoredParticipant } from './participant-columns.ts';
import { shownName } from './shown-name.ts';

export type StoredChat = Omit<Chat, 'participants'> & { participants: StoredParticipant[] };

/** How many participants a chat object shows. */
const shownParticipants = 20;

/** Of `chats c`, in one snapshot: participants, last message and `eventSequence` belong together. */
const chatColumns = `c.id, c.is_group AS "isGroup", c.name, ${iso('c.created_at')} AS "createdAt",
  members.total AS "participantCount", members.shown AS participants,
  (SELECT (${messageJson('m')})::json FROM (${messageAt('c.id', 'c.last_sequence')}) m) AS "lastMessage",
  c.last_sequence AS "lastSequence", c.last_event_sequence AS "eventSequence"`;

const joinMembers = `CROSS JOIN LATERAL (
  SELECT (
      SELECT count(*)::int FROM chat_participants p WHERE p.chat_id = c.id AND ${present('p')}
    ) AS total,
    coalesce(json_agg(json_build_object(
      'userId', f.user_id, 'displayName', ${shownName('u')}, 'role', f.role, 'joinedAt', ${iso('f.joined_at')}
    ) ORDER BY ${participantOrder('f')}), '[]'::json) AS shown
  FROM (
    SELECT p.*
    FROM chat_participants p
    WHERE p.chat_id = c.id AND ${present('p')}
    ORDER BY ${participantOrder('p')}
    LIMIT ${shownParticipants}
  ) f
  ${joinUser('f', 'u')}
) members`;

const readChatSql = `SELECT ${chatColumns}
FROM chats c
JOIN chat_participants me ON me.chat_id = c.id AND me.user_id = $2::uuid AND me.left_at IS NULL
${joinMembers}
WHERE c.id = $1::uuid`;

/** Undefined where there is no such chat, or the user takes no part in it. */
export async function readChat(
  database: Database,
  chatId: string,
  userId: string,
): Promise<StoredChat | undefined> {
  const [chat] = await database.query<StoredChat>(readChatSql, [chatId, userId]);
  return chat;
}

const readChatsSql = `WITH present AS (
  SELECT p.chat_id, json_agg(p.user_id) AS user_ids
  FROM unnest($1::uuid[], $2::uuid[]) AS w (chat_id, user_id)
  JOIN chat_participants p ON p.chat_id = w.chat_id AND p.user_id = w.user_id AND p.left_at IS NULL
  GROUP BY p.chat_id
)
SELECT ${chatColumns}, present.user_ids AS "presentUserIds"
FROM present
JOIN chats c ON c.id = present.chat_id
${joinMembers}`;

/** The chats of these pairs, each once, with those of its users who take part in it in the same snapshot. */
export function readChats(
  database: Database,
  pairs: readonly { chatId: string; userId: string }[],
): Promise<(StoredChat & { presentUserIds: string[] })[]> {
  return database.query(readChatsSql, [pairs.map(({ chatId }) => chatId), pairs.map(({ userId }) => userId)]);
}

const listChatsSql = `WITH mine AS (
  SELECT c.*
  FROM chat_participants me
  JOIN chats c ON c.id = me.chat_id
  WHERE me.user_id = $1::uuid AND me.left_at IS NULL AND (c.last_activity_at, c.id) < ($2::text::timestamptz, $3::uuid)
  ORDER BY c.last_activity_at DESC, c.id DESC
  LIMIT $4::int
)
SELECT ${chatColumns}, ${iso('c.last_activity_at')} AS "lastActivityAt"
FROM mine c
${joinMembers}
ORDER BY c.last_activity_at DESC, c.id DESC`;

/** Where a page ends: the next one begins after it. */
export interface ChatListPosition {
  /** ISO 8601, or `infinity` for the very beginning. */
  lastActivityAt: string;
  id: string;
}

export const chatListStart: ChatListPosition = {
  lastActivityAt: 'infinity',
  id: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
};

/** The user's chats in one statement, newest activity first. */
export function listChats(
  database: Database,
  userId: string,
  after: ChatListPosition,
  limit: number,
): Promise<(StoredChat & { lastActivityAt: string })[]> {
  return database.query(listChatsSql, [userId, after.lastActivityAt, after.id, limit]);
}
