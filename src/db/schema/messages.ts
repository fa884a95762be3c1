import { index, json, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { bytes, bytewise, content, counter, instant } from './columns.ts';

/**
 * Inserted by `store_messages` alone, which checks chat and sender under the chat's lock: foreign keys would check the
 * same again, a row at a time. Two keys and nothing more on the hot path, both beginning with the chat, by whose hash the
 * migration divides the table into 4 partitions: what grows without end is vacuumed in parts. What a plain text does not
 * have is null, which costs it nothing. Without constraints of the table's own, which cost a batch as much again for each
 * partition: numbers are checked where they are made, in `chats`, and the length of a content by its type.
 */
export const messages = pgTable(
  'messages',
  {
    chatId: uuid('chat_id').notNull(),
    sequence: counter('sequence').notNull(),
    /** `brokerMessageId`. */
    id: uuid().notNull(),
    senderId: uuid('sender_id').notNull(),
    clientMessageId: uuid('client_message_id').notNull(),
    /** Empty once the message is deleted, as everything below is null then but for who deleted it, when, and the version. */
    content: content().notNull(),
    sentAt: instant('sent_at').notNull(),
    /** The number of its creation. */
    eventSequence: counter('event_sequence').notNull(),
    /** Null for `text`. */
    messageType: text('message_type', { enum: ['text', 'system'] }),
    editedAt: instant('edited_at'),
    deletedAt: instant('deleted_at'),
    deletedBy: uuid('deleted_by'),
    /** The chat's number of its last edit, or of its deletion; null for one that was never changed. */
    version: counter('version'),
    /** The id of the message that it answers. */
    replyTo: uuid('reply_to'),
    mentions: json(),
    attachments: json(),
    /** The host's own. Not `jsonb`, which would sort its keys and drop some. */
    metadata: json(),
    /** JSON as everybody is shown it: a summary of `reactions`, written with them. */
    reactions: text(),
    /** 16 bytes of the SHA-256 of what was accepted, by which a repeat is told from a conflict. Null: by the content. */
    bodyHash: bytes('body_hash'),
  },
  (table) => [
    primaryKey({ name: 'messages_pkey', columns: [table.chatId, table.sequence] }),
    unique('messages_chat_id_id').on(table.chatId, table.id),
  ],
);

/** Who is mentioned by which message; null stands for everyone. Of messages that are not deleted. */
export const mentions = pgTable(
  'mentions',
  {
    chatId: uuid('chat_id').notNull(),
    sequence: counter('sequence').notNull(),
    userId: uuid('user_id'),
  },
  (table) => [index('mentions_of_user').on(table.chatId, table.userId, table.sequence)],
);

/** Who has reacted to which message, and how; of deleted ones none are shown. */
export const reactions = pgTable(
  'reactions',
  {
    chatId: uuid('chat_id').notNull(),
    userId: uuid('user_id').notNull(),
    sequence: counter('sequence').notNull(),
    key: bytewise('key').notNull(),
    reactedAt: instant('reacted_at').notNull(),
  },
  (table) => [
    primaryKey({
      name: 'reactions_pkey',
      columns: [table.chatId, table.userId, table.sequence, table.key],
    }),
    index('reactions_of_message').on(
      ...([table.chatId, table.sequence, table.key, table.reactedAt, table.userId] as const),
    ),
  ],
);

/** Deleted messages that have left some of them behind. */
export const reactionsToPurge = pgTable(
  'reactions_to_purge',
  { chatId: uuid('chat_id').notNull(), sequence: counter('sequence').notNull() },
  (table) => [primaryKey({ name: 'reactions_to_purge_pkey', columns: [table.chatId, table.sequence] })],
);
