import type { Reaction, Reactor } from '../../shared/contract.ts';
import { mostReactionKeys } from '../../shared/reaction-key.ts';
import type { Database } from '../database.ts';
import { iso } from '../database.ts';
import { messageWithId } from './message-columns.ts';

/** All ids in lower case. */
export interface ReactionWrite {
  messageId: string;
  userId: string;
  key: string;
  /** False: it is taken back. */
  present: boolean;
}

export type ReactionVerdict =
  | 'changed'
  | 'unchanged'
  | 'chat_not_found'
  | 'message_not_found'
  | 'message_deleted'
  | 'too_many_reactions';

export interface WrittenReaction {
  verdict: ReactionVerdict;
  /** The message's; null where it is not there. */
  sequence: number | null;
  /** The keys that the user has given it now. */
  own: string[];
  participants: number | null;
  /** Of the message, with the first write that is about it: the number of the last change of its reactions. */
  eventSequence: number | null;
  /** Null for none. */
  reactions: Reaction[] | null;
}

const reactSql = `/* react */ SELECT verdict, sequence, own, participants, event_sequence AS "eventSequence", reactions
FROM react($1::uuid, $2::uuid[], $3::uuid[], $4::text[], $5::text[]::boolean[], ${mostReactionKeys})`;

/** One call, one commit, under the chat's lock where something changes; in the order of the writes. */
export function writeReactions(
  database: Database,
  chatId: string,
  writes: readonly ReactionWrite[],
): Promise<WrittenReaction[]> {
  return database.query(reactSql, [
    chatId,
    writes.map(({ messageId }) => messageId),
    writes.map(({ userId }) => userId),
    writes.map(({ key }) => key),
    writes.map(({ present }) => String(present)),
  ]);
}

/** The page comes off the index that begins with chat and message. */
const listReactionsSql = `SELECT m.id AS "messageId", page.*
FROM chat_participants me
LEFT JOIN LATERAL (${messageWithId('me.chat_id', '$3::uuid')}) m ON true
LEFT JOIN LATERAL (
  SELECT r.user_id AS "userId", r.key, ${iso('r.reacted_at')} AS "reactedAt"
  FROM reactions r
  WHERE m.deleted_at IS NULL AND r.chat_id = me.chat_id AND r.sequence = m.sequence AND r.key <= $7::text
    AND (r.key, r.reacted_at, r.user_id) > ($4::text, $5::text::timestamptz, $6::uuid)
  ORDER BY r.chat_id, r.sequence, r.key, r.reacted_at, r.user_id
  LIMIT $8::int
) page ON true
WHERE me.chat_id = $1::uuid AND me.user_id = $2::uuid AND me.left_at IS NULL`;

/** Where a page ends: the next one begins after it. */
export interface ReactorPosition {
  key: string;
  /** ISO 8601, or `-infinity` for the very beginning of a key. */
  reactedAt: string;
  userId: string;
}

export const reactorsStart: ReactorPosition = {
  key: '',
  reactedAt: '-infinity',
  userId: '00000000-0000-0000-0000-000000000000',
};

/** No key is after it. */
const lastKey = '\u{10FFFF}';

/**
 * By key and then by time.
 * @param of.key of this one alone
 * @returns `'no chat'` where there is none, or the user takes no part in it; undefined where it has no such message
 */
export async function listReactions(
  database: Database,
  of: { chatId: string; userId: string; messageId: string; key: string | undefined },
  after: ReactorPosition,
  limit: number,
): Promise<Reactor[] | 'no chat' | undefined> {
  const rows = await database.query<{ messageId: string | null } & (Reactor | { userId: null })>(
    listReactionsSql,
    [
      ...[of.chatId, of.userId, of.messageId],
      ...[of.key ?? after.key, after.reactedAt, after.userId, of.key ?? lastKey, limit],
    ],
  );
  if (rows.length === 0) return 'no chat';
  if (rows[0]?.messageId === null) return undefined;
  return rows.flatMap((row) =>
    row.userId === null ? [] : [{ userId: row.userId, key: row.key, reactedAt: row.reactedAt }],
  );
}

/** Rows of one commit. */
const mostPurged = 1_000;

/** What deletions have left; the function is the one of `drizzle/`. @returns whether there may be more to purge */
export async function purgeReactions(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query<{ more: boolean }>('SELECT purge_reactions($1::int) AS more', [
    mostPurged,
  ]);
  return row?.more === true;
}
