import { iso } from '../database.ts';

/** Columns of `messages` under the names of the contract's `Message`: such a row is one. */
export const messageColumns = (table: string): string =>
  `${table}.id, ${table}.chat_id AS "chatId", ${table}.sender_id AS "senderId", ${table}.content,
  'text' AS "messageType", 'sent' AS status, ${table}.sequence, ${iso(`${table}.sent_at`)} AS "sentAt",
  ${table}.client_message_id AS "clientMessageId"`;
