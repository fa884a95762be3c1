import type { Chat, ChatFilter, Membership } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { iso } from '../database.ts';
import { settingsColumns } from './chat-columns.ts';
import {
  isUnsettled,
  joinUnread,
  membershipJson,
  mostLookedAt,
  ownRows,
  unreadSql,
} from './membership-columns.ts';
import { messageAt, messageJson, ownReactions } from './message-columns.ts';
import { joinUser, participantOrder, present, type StoredParticipant } from './participant-columns.ts';
import { shownName } from './shown-name.ts';

/** What is alike for all who take part in it. */
export type SharedChat = Omit<Chat, 'participants' | 'membership'> & { participants: StoredParticipant[] };

/** As one of its participants sees it. */
export type StoredChat = SharedChat & StoredMembership;

export interface StoredMembership {
  membership: Membership;
  /** It is to be settled before it is shown. */
  unsettled: boolean;
  /** Whether its owner may be told that others are online. */
  showsPresence: boolean;
}

/** How many participants a chat object shows. */
const shownParticipants = 20;

/** Of `chats c`, in one snapshot: participants, last message and `eventSequence` belong together. */
const chatColumns = (reader?: string) => `${settingsColumns('c')}, ${iso('c.created_at')} AS "createdAt",
  ${iso('c.last_activity_at')} AS "lastActivityAt",
  c.participant_count AS "participantCount", members.shown AS participants,
  (SELECT (${messageJson('m', reader ? { own: ownReactions('m', reader) } : {})})::json FROM (${messageAt('c.id', 'c.last_sequence')}) m) AS "lastMessage",
  c.last_sequence AS "lastSequence", c.last_event_sequence AS "eventSequence"`;

/** Of its participant `me`, in the same snapshot. */
const ownColumns = `${membershipJson('me', 'c')} AS membership, ${isUnsettled('me', 'c', 'unread.first')} AS unsettled,
  (SELECT x.show_presence FROM users x WHERE x.id = me.user_id) AS "showsPresence"`;

const joinMembers = `CROSS JOIN LATERAL (
  SELECT coalesce(json_agg(json_build_object(
    'userId', f.user_id, 'displayName', ${shownName('u')}, 'avatarUrl', u.avatar_url, 'role', f.role, 'joinedAt', ${iso('f.joined_at')},
    'showsPresence', u.show_presence
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

const readChatSql = `/* chat */ SELECT ${chatColumns('me.user_id')}, ${ownColumns}
FROM chat_participants me
CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
${joinMembers}
${joinUnread('me', 'c')}
WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

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
  SELECT me.chat_id, json_agg(json_build_object('userId', me.user_id, 'membership', own.membership, 'unsettled', own.unsettled,
    'showsPresence', own."showsPresence")) AS memberships
  FROM unnest($1::uuid[], $2::uuid[]) AS w (chat_id, user_id)
  CROSS JOIN LATERAL (
    SELECT x.* FROM chat_participants x
    WHERE x.chat_id = w.chat_id AND x.user_id = w.user_id AND x.left_at IS NULL LIMIT 1
  ) me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = w.chat_id LIMIT 1) c
  ${joinUnread('me', 'c')}
  CROSS JOIN LATERAL (SELECT ${ownColumns}) own
  GROUP BY me.chat_id
)
SELECT ${chatColumns()}, present.memberships
FROM present
CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = present.chat_id LIMIT 1) c
${joinMembers}`;

/** The chats of these pairs, each once, with those of its users who take part in it in the same snapshot. */
export function readChats(
  database: Database,
  pairs: readonly { chatId: string; userId: string }[],
): Promise<(SharedChat & { memberships: (StoredMembership & { userId: string })[] })[]> {
  return database.query(readChatsSql, [pairs.map(({ chatId }) => chatId), pairs.map(({ userId }) => userId)]);
}

/** Archived chats are in the list where they are asked for. */
const filters: Readonly<Record<ChatFilter | 'none', string>> = {
  none: 'me.archived_at IS NULL',
  archived: 'me.archived_at IS NOT NULL',
  pinned: 'me.archived_at IS NULL AND me.pinned_at IS NOT NULL',
  unread: 'me.archived_at IS NULL AND me.last_read_sequence < c.last_sequence',
};

/** In two steps: messages are looked at for those that come into question alone, and until the page is full. */
const listChatsSql = (filter: ChatFilter | 'none') => `/* chats */ WITH mine AS (
  SELECT me.chat_id, me.user_id, me.last_read_sequence, c.last_activity_at, c.last_sequence
  FROM ${ownRows} me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
  WHERE (c.last_activity_at, c.id) < ($2::text::timestamptz, $3::uuid) AND ${filters[filter]}
  ORDER BY c.last_activity_at DESC, c.id DESC
  OFFSET 0
), page AS (
  SELECT k.chat_id FROM mine k
  ${filter === 'unread' ? `WHERE (${unreadSql('k', 'k', 1)}) IS NOT NULL OR k.last_sequence - k.last_read_sequence > ${mostLookedAt}` : ''}
  ORDER BY k.last_activity_at DESC, k.chat_id DESC
  LIMIT $4::int
)
SELECT ${chatColumns('me.user_id')}, ${ownColumns}
FROM page
CROSS JOIN LATERAL (
  SELECT x.* FROM chat_participants x WHERE x.chat_id = page.chat_id AND x.user_id = $1::uuid LIMIT 1
) me
CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = page.chat_id LIMIT 1) c
${joinMembers}
${joinUnread('me', 'c')}
ORDER BY c.last_activity_at DESC, c.id DESC`;

const listSqls = {
  none: listChatsSql('none'),
  archived: listChatsSql('archived'),
  pinned: listChatsSql('pinned'),
  unread: listChatsSql('unread'),
};

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
  filter: ChatFilter | undefined,
  after: ChatListPosition,
  limit: number,
): Promise<StoredChat[]> {
  return database.query(listSqls[filter ?? 'none'], [userId, after.lastActivityAt, after.id, limit]);
}
