import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  index,
  integer,
  json,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { counter, instant } from './columns.ts';

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
