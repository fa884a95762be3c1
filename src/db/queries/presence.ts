import type { Database } from '../database.ts';
import { iso } from '../database.ts';
import { sharesChat, viewersChats } from './shares-chat.ts';

export interface KnownPresence {
  userId: string;
  /** Whether both the user and who asks show it. */
  shown: boolean;
  lastSeenAt: string | null;
}

const presenceSql = `WITH ${viewersChats('$1::uuid', { now: true })}
SELECT u.id AS "userId", u.show_presence AND me.show_presence AS shown, ${iso('u.last_seen_at')} AS "lastSeenAt"
FROM (SELECT x.show_presence FROM users x WHERE x.id = $1::uuid) me
CROSS JOIN unnest($2::uuid[]) WITH ORDINALITY AS w (user_id, ord)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.user_id LIMIT 1) u
WHERE ${sharesChat('w.user_id', '$1::uuid', { now: true })}
ORDER BY w.ord`;

/** Of those who share a chat with who asks. */
export function readPresence(
  database: Database,
  viewerId: string,
  userIds: readonly string[],
): Promise<KnownPresence[]> {
  return database.query(presenceSql, [viewerId, userIds]);
}

const showsPresenceSql = 'SELECT show_presence AS shows FROM users WHERE id = $1::uuid';

/** Whether the user may be told that others are online. */
export async function showsPresence(database: Database, userId: string): Promise<boolean> {
  const [row] = await database.query<{ shows: boolean }>(showsPresenceSql, [userId]);
  return row?.shows === true;
}

/** A direct chat whose other participant is to be told of the user. */
export interface DirectChat {
  userId: string;
  chatId: string;
  lastSeenAt: string | null;
}

/** Of so many direct chats of a user the others are told; they are looked for among so many of the user's newest chats. */
const mostChats = 50;
const mostSearched = 1_000;

const directChatsSql = `SELECT u.id AS "userId", d.id AS "chatId", ${iso('u.last_seen_at')} AS "lastSeenAt"
FROM unnest($1::uuid[]) AS w (user_id)
CROSS JOIN LATERAL (SELECT x.* FROM users x WHERE x.id = w.user_id LIMIT 1) u
CROSS JOIN LATERAL (
  SELECT c.id FROM (
    SELECT x.chat_id, x.left_at FROM chat_participants x
    WHERE x.user_id BETWEEN w.user_id AND w.user_id
    ORDER BY x.user_id DESC, x.chat_id DESC LIMIT ${mostSearched}
  ) me
  CROSS JOIN LATERAL (SELECT x.* FROM chats x WHERE x.id = me.chat_id LIMIT 1) c
  WHERE me.left_at IS NULL AND NOT c.is_group
  ORDER BY c.last_activity_at DESC, c.id DESC LIMIT ${mostChats}
) d
CROSS JOIN LATERAL (
  SELECT x.user_id FROM chat_participants x WHERE x.chat_id = d.id AND x.user_id <> u.id AND x.left_at IS NULL LIMIT 1
) them
WHERE u.show_presence = $2::boolean AND coalesce(u.last_seen_at <= now() - $3::int * interval '1 ms', true)
  AND (SELECT x.show_presence FROM users x WHERE x.id = them.user_id)`;

/** Direct chats of those of the users who show their presence, or do not, and had no last close for so long. */
export function readDirectChats(
  database: Database,
  userIds: readonly string[],
  wanted: { shows: boolean; awayMs: number },
): Promise<DirectChat[]> {
  return database.query(directChatsSql, [userIds, wanted.shows, wanted.awayMs]);
}

/** Of a row that somebody holds nothing is waited for: whoever calls tries it again. */
const writeLastSeenSql = `WITH free AS MATERIALIZED (
  SELECT u.id, w.ago FROM unnest($1::uuid[], $2::int[]) AS w (user_id, ago) JOIN users u ON u.id = ANY (ARRAY[w.user_id])
  FOR NO KEY UPDATE OF u SKIP LOCKED
)
UPDATE users SET last_seen_at = greatest(users.last_seen_at, now() - free.ago * interval '1 ms')
FROM free WHERE users.id = ANY (ARRAY[free.id])
RETURNING users.id AS "userId"`;

/**
 * When the users' last sockets ended, by the database's clock.
 * @param closed users with the milliseconds since then
 * @returns those that are written
 */
export async function writeLastSeen(
  database: Database,
  closed: ReadonlyMap<string, number>,
): Promise<string[]> {
  const rows = await database.query<{ userId: string }>(writeLastSeenSql, [
    [...closed.keys()],
    [...closed.values()],
  ]);
  return rows.map(({ userId }) => userId);
}
