import type { Message } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { messageColumns, messageJson } from './message-columns.ts';

/**
 * One statement, so one snapshot: is the user in, where does the chat stand, the page. The page comes off the primary key
 * `(chat_id, sequence)` in either direction, whatever the chat's length, and as one text of JSON, which goes to the client
 * as it is: to make objects of it here and JSON of them again cost the api more than everything else of a page.
 */
const pageSql = (comparison: '<' | '>', direction: 'DESC' | 'ASC') => `
SELECT c.last_sequence AS "lastSequence", c.last_event_sequence AS "eventSequence", page.*
FROM chats c
JOIN chat_participants me ON me.chat_id = c.id AND me.user_id = $2::uuid AND me.left_at IS NULL
CROSS JOIN LATERAL (
  SELECT min(near.sequence) AS first, max(near.sequence) AS last,
    string_agg(${messageJson('near', '$1::uuid')}, ',' ORDER BY near.sequence) AS messages
  FROM (
    SELECT m.*
    FROM messages m
    WHERE m.chat_id = $1::uuid AND m.sequence ${comparison} $3::bigint
    ORDER BY m.sequence ${direction}
    LIMIT $4::int
  ) near
) page
WHERE c.id = $1::uuid`;

const beforeSql = pageSql('<', 'DESC');
const afterSql = pageSql('>', 'ASC');

export interface HistoryPage {
  lastSequence: number;
  eventSequence: number;
  /** The sequences of the page's ends; null, as `messages`, where there are none. */
  first: number | null;
  last: number | null;
  /** The contract's `Message` objects as JSON, with commas between them, ascending by `sequence`. */
  messages: string | null;
}

/**
 * The messages next to a `sequence`, which is not among them.
 * @returns undefined where there is no such chat, or the user takes no part in it
 */
export async function readHistory(
  database: Database,
  chatId: string,
  userId: string,
  from: { before: number } | { after: number },
  limit: number,
): Promise<HistoryPage | undefined> {
  const [sql, sequence] = 'before' in from ? [beforeSql, from.before] : [afterSql, from.after];
  const [page] = await database.query<HistoryPage>(sql, [chatId, userId, sequence, limit]);
  return page;
}

const messageSql = `SELECT found.*
FROM chat_participants me
LEFT JOIN LATERAL (
  SELECT ${messageColumns('m')} FROM messages m WHERE m.chat_id = $1::uuid AND m.id = $3::uuid
) found ON true
WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** `'no chat'` where there is no such chat, or the user takes no part in it; undefined where it has no such message. */
export async function readMessage(
  database: Database,
  chatId: string,
  userId: string,
  messageId: string,
): Promise<Message | 'no chat' | undefined> {
  const [row] = await database.query<Message | { id: null }>(messageSql, [chatId, userId, messageId]);
  if (!row) return 'no chat';
  return row.id === null ? undefined : row;
}
