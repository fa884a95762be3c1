import { iso } from '../database.ts';
import { messageAt } from './message-columns.ts';

/** Unread messages are counted up to so many, which stands for more. */
export const mostUnread = 100;
/** So many messages after the marker are looked at. As a chat's sequences have no gaps, a client knows which. */
export const mostLookedAt = 1_000;
/** A marker is moved over so many messages that are never unread, once somebody looks. As in `write_memberships`. */
const longRun = 16;

/** Of a message of `m` after the marker of `me`: what the user has not sent, has not been deleted, and is not the system's. */
const isUnread = (m: string, me: string): string =>
  `${m}.sender_id <> ${me}.user_id AND ${m}.deleted_at IS NULL AND ${m}.message_type IS DISTINCT FROM 'system'`;

/** Nothing is read where the marker is the last number, which is a look at two columns. */
const window = (table: string, me: string, c: string): string =>
  `${me}.last_read_sequence < ${c}.last_sequence AND ${table}.chat_id = ${me}.chat_id
  AND ${table}.sequence > ${me}.last_read_sequence AND ${table}.sequence <= ${me}.last_read_sequence + ${mostLookedAt}`;

/**
 * SQL of `sequence` of the unread messages, the first `limit` ones. The order leaves one index alone, without sorting. Not for
 * EXISTS, which becomes a join, for which the order does not count.
 */
export const unreadSql = (me: string, c: string, limit: number): string =>
  `SELECT m.sequence FROM messages m WHERE ${window('m', me, c)} AND ${isUnread('m', me)}
  ORDER BY m.chat_id, m.sequence LIMIT ${limit}`;

/** The same of those that mention the user. */
const mentionedSql = (me: string, c: string): string =>
  `SELECT DISTINCT named.sequence FROM (
    SELECT n.sequence FROM mentions n WHERE ${window('n', me, c)} AND n.user_id = ${me}.user_id
    UNION ALL
    SELECT n.sequence FROM mentions n WHERE ${window('n', me, c)} AND n.user_id IS NULL
  ) named
  WHERE (SELECT ${isUnread('m', me)} FROM (${messageAt(`${me}.chat_id`, 'named.sequence')}) m)`;

/** How many of the unread messages mention the user, at most as many as are counted. */
export const mentionCountSql = (me: string, c: string): string =>
  `(SELECT count(*)::int FROM (${mentionedSql(me, c)} LIMIT ${mostUnread}) y)`;

/**
 * Joins `unread (count, first, mentions)` to a row `me` of `chat_participants` and its chat `c`: rows of one snapshot with
 * which the numbers of `c` belong together.
 */
export const joinUnread = (me: string, c: string): string =>
  `CROSS JOIN LATERAL (
  SELECT count(*)::int AS count, min(x.sequence) AS first,
    ${mentionCountSql(me, c)} AS mentions
  FROM (${unreadSql(me, c, mostUnread)}) x
) unread`;

/** SQL of the rows of the user `$1` in the chats that they take part in. The range is of a single user: see `memberships.ts`. */
export const ownRows = `(
  SELECT x.* FROM chat_participants x
  WHERE x.user_id BETWEEN $1::uuid AND $1::uuid AND x.left_at IS NULL
  ORDER BY x.user_id, x.chat_id OFFSET 0
)`;

/**
 * Whether `write_memberships` has something to settle before this is shown: how far the user has read is not known, or there is
 * a long run of what is never unread.
 */
export const isUnsettled = (me: string, c: string, first: string): string =>
  `(${me}.last_read_sequence IS NULL OR ${me}.last_read_sequence < ${c}.last_sequence
    AND coalesce(${first}, ${c}.last_sequence + 1) - 1 - ${me}.last_read_sequence >= ${longRun})`;

/** The contract's `Membership`, of `me`, `c` and {@link joinUnread}. */
export const membershipJson = (me: string, c: string): string =>
  `json_build_object('chatId', ${me}.chat_id, 'lastReadSequence', coalesce(${me}.last_read_sequence, ${c}.last_sequence),
    'unreadCount', unread.count, 'unreadMentionCount', unread.mentions, 'notify', ${me}.notify,
    'mutedUntil', ${iso(`${me}.muted_until`)}, 'pinnedAt', ${iso(`${me}.pinned_at`)},
    'archivedAt', ${iso(`${me}.archived_at`)}, 'version', ${me}.membership_version,
    'lastSequence', ${c}.last_sequence, 'eventSequence', ${c}.last_event_sequence)`;
