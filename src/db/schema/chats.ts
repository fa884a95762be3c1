import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, json, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { counter, instant } from './columns.ts';
import { users } from './users.ts';

/**
 * The row whose lock numbers everything in the chat. Its counters change with every message, so nothing indexes them and
 * the migration gives the table a low fillfactor: updates stay on their page (HOT).
 */
export const chats = pgTable(
  'chats',
  {
    id: uuid().primaryKey(),
    isGroup: boolean('is_group').notNull(),
    name: text(),
    /** Both user ids, the smaller first; one direct chat a pair. */
    directKey: text('direct_key').unique('chats_direct_key'),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastActivityAt: instant('last_activity_at').notNull().defaultNow(),
    lastSequence: counter('last_sequence').notNull().default(0),
    lastEventSequence: counter('last_event_sequence').notNull().default(0),
    /** Kept by the trigger on `chat_participants`. */
    participantCount: integer('participant_count').notNull().default(0),
    avatarUrl: text('avatar_url'),
    /** The host's own. */
    metadata: json(),
    /** Null: all who take part may post. */
    posting: text({ enum: ['admins'] }),
    /** Then nobody takes part any more, and its words are purged. */
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    check('chats_posting', sql`${table.posting} = 'admins'`),
    check('chats_direct_or_group', sql`${table.isGroup} = (${table.directKey} is null)`),
    check(
      'chats_counters',
      sql`${table.lastSequence} >= 0 and ${table.lastEventSequence} >= ${table.lastSequence}`,
    ),
  ],
);

export const chatParticipants = pgTable(
  'chat_participants',
  {
    chatId: uuid('chat_id')
      .notNull()
      .references(() => chats.id, { onDelete: 'cascade' }),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    role: text({ enum: ['owner', 'admin', 'member'] }).notNull(),
    joinedAt: instant('joined_at').notNull().defaultNow(),
    /** Null while the user takes part. */
    leftAt: instant('left_at'),
    createdEventSequence: counter('created_event_sequence').notNull(),
    changedEventSequence: counter('changed_event_sequence').notNull(),
    /** Whoever put the user into the chat, the last time. Null in rows that are older than the column. */
    addedBy: uuid('added_by'),
    /** Of one who takes part no more: the user, if they left by themselves. */
    removedBy: uuid('removed_by'),
    /** What the user has read, to themself: it may go back. Null in rows that are older than the column: nothing is unread. */
    lastReadSequence: counter('last_read_sequence'),
    /** How far the user has ever read, which is what the others see. */
    readThroughSequence: counter('read_through_sequence'),
    notify: text({ enum: ['all', 'mentions', 'none'] })
      .notNull()
      .default('all'),
    mutedUntil: instant('muted_until'),
    pinnedAt: instant('pinned_at'),
    archivedAt: instant('archived_at'),
    /** The user's `own_changes` of the last change to what the user reads and sets here. */
    membershipVersion: counter('membership_version').notNull().default(0),
  },
  (table) => [
    primaryKey({ name: 'chat_participants_pkey', columns: [table.chatId, table.userId] }),
    // Of both columns: else it looks as good as the primary key for one participant, and reads all of the user's chats.
    index('chat_participants_user').on(table.userId, table.chatId),
    // What changed after a number, and the longest members first: without them each reads everybody in the chat. Only who
    // names the condition can use one: to the planner they look as good as the primary key for one participant.
    index('chat_participants_changed')
      .on(table.chatId, table.changedEventSequence)
      .where(sql`${table.changedEventSequence} >= 0`)
      .concurrently(),
    index('chat_participants_present')
      .on(table.chatId, table.joinedAt, table.createdEventSequence, table.userId)
      .where(sql`${table.leftAt} is null and ${table.createdEventSequence} >= 0`)
      .concurrently(),
    // Owners and admins, who are few.
    index('chat_participants_leading')
      .on(table.chatId, table.role, table.joinedAt)
      .where(sql`${table.leftAt} is null and ${table.role} <> 'member'`)
      .concurrently(),
    check('chat_participants_role', sql`${table.role} in ('owner', 'admin', 'member')`),
    check('chat_participants_notify', sql`${table.notify} in ('all', 'mentions', 'none')`),
    check('chat_participants_numbers', sql`${table.changedEventSequence} >= ${table.createdEventSequence}`),
  ],
);

/**
 * What changed last in a chat, but for what says so itself: new messages and participants. One row for each thing, which its
 * next change moves on, so that there are never more of them than there are things.
 */
export const chatChanges = pgTable(
  'chat_changes',
  {
    chatId: uuid('chat_id').notNull(),
    eventSequence: counter('event_sequence').notNull(),
    /** Of a file in `src/changes/`. */
    kind: text().notNull(),
    /** Of what is about a message its `sequence`; of what is about the chat itself 0. */
    key: counter('key').notNull(),
  },
  (table) => [
    primaryKey({ name: 'chat_changes_pkey', columns: [table.chatId, table.kind, table.key] }),
    index('chat_changes_sequence').on(table.chatId, table.eventSequence),
  ],
);

/** Deleted chats of which there are words left; by themselves, so that no index of `chats` is kept for them. */
export const chatsToPurge = pgTable('chats_to_purge', {
  chatId: uuid('chat_id').primaryKey(),
  deletedAt: instant('deleted_at').notNull(),
  /** Of its messages up to this sequence nothing is left. */
  purgedThrough: counter('purged_through').notNull().default(0),
  /** Until then it is in some worker's hands, or its last batch has failed. */
  retryAt: instant('retry_at'),
});
