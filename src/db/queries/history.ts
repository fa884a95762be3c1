import type { Message } from '../../shared/contract.ts';
import type { Database } from '../database.ts';
import { messageAt, messageJson, messageWithId, ownReactions } from './message-columns.ts';

/**
 * One statement, so one snapshot: is the user in, where does the chat stand, the page. The page comes off the primary key
 * `(chat_id, sequence)` in either direction, whatever the chat's length, and as the JSON that goes to the client as it is: to
 * make objects of it here and JSON of them again cost the api more than everything else of a page.
 *
 * Sequences are 1, 2, 3 … without a gap, so the head tells what lies beyond the page; beyond an empty page, it and the cursor
 * do, which then stand for the page's ends.
 */
const pageSql = (
  comparison: '<' | '>',
  direction: 'DESC' | 'ASC',
  emptyFirst: string,
  emptyLast: string,
  last: string,
) => `/* history */
SELECT concat('{"data":[', page.messages,
  '],"page":{"hasBefore":', to_json(c.last_sequence > 0 AND page.first > 1),
  ',"hasAfter":', to_json(page.last < c.last_sequence),
  ',"eventSequence":', c.last_event_sequence, '}}')
FROM chats c
JOIN chat_participants me ON me.chat_id = c.id AND me.user_id = $2::uuid AND me.left_at IS NULL
CROSS JOIN LATERAL (
  SELECT coalesce(min(near.sequence), ${emptyFirst}) AS first, coalesce(max(near.sequence), ${emptyLast}) AS last,
    string_agg(${messageJson('near', { chatId: '$1::uuid', own: `(SELECT own_reactions($1::uuid, $2::uuid, ${last}, $4::int))` })}, ',' ORDER BY near.sequence) AS messages
  FROM (
    SELECT m.*
    FROM messages m
    WHERE m.chat_id = $1::uuid AND m.sequence ${comparison} $3::bigint
    ORDER BY m.sequence ${direction}
    LIMIT $4::int
  ) near
) page
WHERE c.id = $1::uuid`;

const beforeSql = pageSql('<', 'DESC', '$3::bigint', 'greatest(0, $3::bigint - 1)', '$3::bigint - 1');
const afterSql = pageSql('>', 'ASC', '$3::bigint + 1', '$3::bigint', '$3::bigint + $4::int');

/**
 * The messages next to a `sequence`, which is not among them: the contract's `MessagePage` as JSON in UTF-8.
 * @returns undefined where there is no such chat, or the user takes no part in it
 */
export function readHistory(
  database: Database,
  chatId: string,
  userId: string,
  from: { before: number } | { after: number },
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [sql, sequence] = 'before' in from ? [beforeSql, from.before] : [afterSql, from.after];
  return database.queryText(sql, [chatId, userId, sequence, limit]);
}

const messageSql = `SELECT (
  SELECT (${messageJson('m', { own: ownReactions('m', '$2::uuid') })})::json FROM (${messageWithId('$1::uuid', '$3::uuid')}) m
) AS message
FROM chat_participants me
WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** `'no chat'` where there is no such chat, or the user takes no part in it; undefined where it has no such message. */
export async function readMessage(
  database: Database,
  chatId: string,
  userId: string,
  messageId: string,
): Promise<Message | 'no chat' | undefined> {
  const [row] = await database.query<{ message: Message | null }>(messageSql, [chatId, userId, messageId]);
  return row ? (row.message ?? undefined) : 'no chat';
}

export interface StoredKey {
  chatId: string;
  sequence: number;
}

const storedSql = `SELECT (${messageJson('m')})::json AS message
FROM unnest($1::uuid[], $2::bigint[]) AS w (chat_id, sequence)
CROSS JOIN LATERAL (${messageAt('w.chat_id', 'w.sequence')}) m`;

/** As anybody is shown them. */
export async function readStored(database: Database, wanted: readonly StoredKey[]): Promise<Message[]> {
  const chatIds = wanted.map(({ chatId }) => chatId);
  const sequences = wanted.map(({ sequence }) => sequence);
  const rows = await database.query<{ message: Message }>(storedSql, [chatIds, sequences]);
  return rows.map(({ message }) => message);
}
