import { iso } from '../database.ts';

/**
 * Of a message that is answered: so many characters (code points) of it are shown. It is looked up whenever it is shown: what was
 * deleted, or was never there, is no more than that.
 */
const previewCharacters = 200;

/**
 * SQL of the message with this number. The range is of a single one: with the order it leaves the one index that holds the
 * whole key. With `=` the other, which reads the chat, looks as good in a plan that was made on an empty table.
 */
export const messageAt = (chatId: string, sequence: string): string =>
  `SELECT x.* FROM messages x WHERE x.chat_id = ${chatId} AND x.sequence BETWEEN ${sequence} AND ${sequence}
  ORDER BY x.chat_id, x.sequence LIMIT 1`;

/** The one with this id, by the index that has it, for the same reason. */
export const messageWithId = (chatId: string, id: string): string =>
  `SELECT x.* FROM messages x WHERE x.chat_id = ${chatId} AND x.id BETWEEN ${id} AND ${id}
  ORDER BY x.chat_id, x.id LIMIT 1`;

/**
 * The contract's `Message` as the text of a JSON object, byte for byte what `JSON.stringify` makes of it. One `concat()` a row:
 * `row_to_json` looks up the type of every column of every row (bench/history.ts: half as much again of PostgreSQL's time).
 * What a message does not have is not there. A plain text has a `concat()` of its own: each of the other's parts costs it as much as
 * one of its own (a quarter of a page's time in all).
 * @param table of rows of `messages`
 * @param of.chatId an expression that is evaluated once a statement, where all rows are of one chat
 * @param of.own how who asks by REST has reacted, as `own_reactions` tells: an expression
 */
export const messageJson = (
  table: string,
  { chatId, own }: { chatId?: string; own?: string } = {},
): string => {
  const of = (column: string) => `${table}.${column}`;
  const begin = (id: string) => `concat('","chatId":"', ${id}, '","senderId":"')`;
  // Named once: it would be called as often as it is named.
  const reactions = own
    ? `CASE WHEN ${of('reactions')} IS NOT NULL
        THEN coalesce(mark_own(${of('reactions')}, ${own} ->> ${of('sequence')}::text), ${of('reactions')}) END`
    : of('reactions');
  const head = `'{"id":"', ${of('id')}, ${chatId ? `(SELECT ${begin(chatId)})` : begin(of('chat_id'))}, ${of('sender_id')},
    '","content":', to_json(${of('content')})`;
  const tail = `${of('sequence')}, ',"sentAt":"', ${iso(of('sent_at'))}, '","clientMessageId":"', ${of('client_message_id')}`;
  const beyondText = ['message_type', 'version', 'reply_to', 'mentions', 'metadata', 'reactions'];
  return `CASE WHEN ${beyondText.map((column) => `${of(column)} IS NULL`).join(' AND ')}
    THEN concat(${head}, ',"messageType":"text","status":"sent","sequence":', ${tail}, '"}')
    ELSE concat(${head}, ',"messageType":"', coalesce(${of('message_type')}, 'text'), '","status":"sent","sequence":', ${tail}, '"',
      ',"editedAt":"' || ${iso(of('edited_at'))} || '"', ',"deletedAt":"' || ${iso(of('deleted_at'))} || '"',
      ',"deletedBy":"' || ${of('deleted_by')} || '"', ',"version":' || ${of('version')},
      ',"replyTo":' || CASE WHEN ${of('reply_to')} IS NOT NULL
        THEN quote_json(${of('chat_id')}, ${of('reply_to')}, ${previewCharacters}) END,
      ',"mentions":' || ${of('mentions')}::text, ',"reactions":' || ${reactions}, ',"metadata":' || ${of('metadata')}::text, '}') END`;
};

/** Of a single message, for {@link messageJson}. */
export const ownReactions = (table: string, reader: string): string =>
  `own_reactions(${table}.chat_id, ${reader}, ${table}.sequence, 1)`;
