import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { kindsOfBefore } from '../shared/ports/registry.ts';

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
/** Counters stay below 2^53. */
const counter = (name: string) => bigint(name, { mode: 'number' });
const content = customType<{ data: string }>({ dataType: () => 'message_content' });
/** Compared byte by byte, whatever the database's own order is. */
const bytewise = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });
const bytes = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });

export const users = pgTable(
  'users',
  {
    id: uuid().primaryKey(),
    /** Lower case; null for users of an outside identity provider who have none. */
    email: text(),
    /** argon2id; null where there is no password. */
    passwordHash: text('password_hash'),
    issuer: text(),
    externalId: text('external_id'),
    displayName: text('display_name').notNull(),
    /** Said by the user's provider or the host itself; else a name that equals the external id is not shown. */
    displayNameGiven: boolean('display_name_given').notNull().default(false),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** Another one whenever the user enters or leaves a chat, whoever writes that: a trigger on `chat_participants`. */
    membershipVersion: counter('membership_version').notNull().default(0),
    /** Counts what the user has changed of their own memberships: what they have read, and set. */
    ownChanges: counter('own_changes').notNull().default(0),
    /** Whether others are told what the user has read, and the user what others have. */
    readReceipts: boolean('read_receipts').notNull().default(true),
    /** Whether others are told that the user is online, and when they last were, and the user of others. */
    showPresence: boolean('show_presence').notNull().default(true),
    /** When a gateway's last socket of the user ended. Null before that. */
    lastSeenAt: instant('last_seen_at'),
    avatarUrl: text('avatar_url'),
    /** The host's own, shown to everybody. */
    metadata: json(),
    /** Since then the user has no session, and gets none. */
    deactivatedAt: instant('deactivated_at'),
  },
  (table) => [
    uniqueIndex('users_email').on(table.email),
    unique('users_issuer_external_id').on(table.issuer, table.externalId),
    check('users_email_lower_case', sql`${table.email} = lower(${table.email})`),
    check('users_external_pair', sql`(${table.issuer} is null) = (${table.externalId} is null)`),
  ],
);

/** One login. Its refresh tokens die with it, all of them. */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    revokedAt: instant('revoked_at'),
    /** Keyed hash of the address that it was opened from: there its user is known. */
    addressHash: text('address_hash'),
  },
  (table) => [index('sessions_user').on(table.userId), index('sessions_expiry').on(table.expiresAt)],
);

/**
 * One row a line of tokens: a login opens one, and each exchange moves it on. Rows without a `counter` are of the tokens that
 * were made before there were counters, one row a token: the first exchange of such a token opens a line.
 */
export const refreshTokens = pgTable(
  'refresh_tokens',
  {
    /** SHA-256 of the line's newest token, base64url. */
    tokenHash: text('token_hash').primaryKey(),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => sessions.id, { onDelete: 'cascade' }),
    /** When the line's newest token was made. */
    createdAt: instant('created_at').notNull().defaultNow(),
    /** Of a token without a counter: when it was first exchanged. Of a line: when a process of before exchanged its newest. */
    usedAt: instant('used_at'),
    /** Of the line's newest token. */
    counter: integer(),
  },
  (table) => [index('refresh_tokens_session').on(table.sessionId)],
);

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

/** Deleted chats of which there are words left; by themselves, so that no index of `chats` is kept for them. */
export const chatsToPurge = pgTable('chats_to_purge', {
  chatId: uuid('chat_id').primaryKey(),
  deletedAt: instant('deleted_at').notNull(),
  /** Of its messages up to this sequence nothing is left. */
  purgedThrough: counter('purged_through').notNull().default(0),
  /** Until then it is in some worker's hands, or its last batch has failed. */
  retryAt: instant('retry_at'),
});

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

/** Facts about this deployment, the same for all processes: the partition count, the hash's name, the keys. */
export const settings = pgTable('settings', {
  key: text().primaryKey(),
  value: text().notNull(),
});

/**
 * Processes that live, by their beats. The view `workers` shows those of them that consume to versions from before there
 * were others, whose workers write their own beats through it: the defaults are what is true of them.
 */
export const processes = pgTable('processes', {
  id: uuid().primaryKey(),
  seenAt: instant('seen_at').notNull(),
  roles: text({ enum: ['api', 'worker', 'gateway'] })
    .array()
    .notNull()
    .default(['worker']),
  /** Null of a version that does not say it. */
  programVersion: text('program_version'),
  /** The highest version of an envelope that it can read. */
  envelopeVersion: integer('envelope_version').notNull().default(1),
  /** The events of durable changes that it can load. */
  kinds: text().array().notNull().default(kindsOfBefore),
  /** Of what it must have in common with the others; never a secret. */
  fingerprints: jsonb().$type<Record<string, string>>().notNull().default({}),
});

/** The embedded queue: what RabbitMQ holds elsewhere. */
export const queuedMessages = pgTable(
  'queued_messages',
  {
    position: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    partition: integer().notNull(),
    id: text().notNull(),
    body: text().notNull(),
  },
  (table) => [index('queued_messages_partition').on(table.partition, table.position)],
);

export const deadLetters = pgTable('dead_letters', {
  id: text().primaryKey(),
  partition: integer().notNull(),
  reason: text().notNull(),
  body: text().notNull(),
  deadLetteredAt: instant('dead_lettered_at').notNull().defaultNow(),
});
