import { iso } from '../database.ts';

/**
 * SQL of the message with this number. The range is of a single one: with the order it leaves the one index that holds the
 * whole key. With `=` the other, which reads the chat, looks as good in a plan that was made on an empty table.
 */
export const messageAt = (chatId: string, sequence: string): string =>
  `SELECT x.* FROM messages x WHERE x.chat_id = ${chatId} AND x.sequence BETWEEN ${sequence} AND ${sequence}
  ORDER BY x.chat_id, x.sequence LIMIT 1`;

/** Columns of `messages` under the names of the contract's `Message`: such a row is one. */
export const messageColumns = (table: string): string =>
  `${table}.id, ${table}.chat_id AS "chatId", ${table}.sender_id AS "senderId", ${table}.content,
  'text' AS "messageType", 'sent' AS status, ${table}.sequence, ${iso(`${table}.sent_at`)} AS "sentAt",
  ${table}.client_message_id AS "clientMessageId"`;

/**
 * The same as the text of a JSON object, byte for byte what `JSON.stringify` makes of such a row. One `concat()` a row:
 * `row_to_json` looks up the type of every column of every row (bench/history.ts: half as much again of PostgreSQL's time).
 * @param chatId an expression that is evaluated once a statement, as all rows are of one chat
 */
export const messageJson = (table: string, chatId: string): string =>
  `concat('{"id":"', ${table}.id, (SELECT concat('","chatId":"', ${chatId}, '","senderId":"')), ${table}.sender_id,
    '","content":', to_json(${table}.content), ',"messageType":"text","status":"sent","sequence":', ${table}.sequence,
    ',"sentAt":"', ${iso(`${table}.sent_at`)}, '","clientMessageId":"', ${table}.client_message_id, '"}')`;
