import type { SendEnvelope } from '../../shared/contract.ts';
import { withDeadline } from '../../shared/deadline.ts';
import type { Database } from '../database.ts';
import { iso } from '../database.ts';

/**
 * One batch, one call, one commit: the hot path of the worker. The function is the one of `drizzle/` that takes extras.
 * The arrays go as text and are cast there, so that both drivers encode them alike.
 */
const storeMessagesSql = (
  more = '',
) => `/* store_messages */ SELECT outcome, sequence, event_sequence AS "eventSequence", ${iso('sent_at')} AS "sentAt"
FROM store_messages($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[]::timestamptz[],
  $7::uuid[], $8::text[]::json[], $9::text[]::json[], $10::text[]::bytea[]${more})`;
const textsSql = storeMessagesSql();
/** The other one, for batches in which some are of another type: all others do not pay for it. */
const typedSql = storeMessagesSql(', $11::text[]');

export type MessageToStore = Omit<SendEnvelope, 'version' | 'requestId'>;

/** The numbers and the time are those of the row, which of a `repeat` was there before. */
interface OfRow<Outcome> {
  outcome: Outcome;
  sequence: number;
  eventSequence: number;
  sentAt: string;
}

export type StoreOutcome =
  | OfRow<'stored'>
  | OfRow<'repeat'>
  /** A repeat of what was edited or deleted since, `eventSequence` says when: nothing of it is to be said again. */
  | OfRow<'changed'>
  | { outcome: 'conflict' }
  /** Of what is said in a chat that is deleted nothing is kept anywhere. */
  | { outcome: 'chat_deleted' }
  | { outcome: 'chat_not_found' | 'not_participant' | 'not_allowed' };

/** Stores the batch in its order; the answers are in the same order. All of it is committed, or nothing is. */
export function storeMessages(database: Database, batch: readonly MessageToStore[]): Promise<StoreOutcome[]> {
  const types = ofSome(batch, ({ messageType }) => messageType);
  return database.query(types ? typedSql : textsSql, [
    batch.map((message) => message.chatId),
    batch.map((message) => message.senderId),
    batch.map((message) => message.brokerMessageId),
    batch.map((message) => message.clientMessageId),
    batch.map((message) => message.content),
    batch.map((message) => message.sentAt),
    ofSome(batch, ({ replyTo }) => replyTo),
    ofSome(batch, ({ mentions }) => mentions && JSON.stringify(mentions)),
    ofSome(batch, ({ metadata }) => metadata && JSON.stringify(metadata)),
    ofSome(batch, bodyHash),
    ...(types ? [types] : []),
  ]);
}

/** Null where nobody has one: a batch of plain texts carries no arrays of nothing. */
function ofSome(
  batch: readonly MessageToStore[],
  extraOf: (message: MessageToStore) => string | undefined,
): (string | null)[] | null {
  const values = batch.map((message) => extraOf(message) ?? null);
  return values.some((value) => value !== null) ? values : null;
}

const hashBytes = 16;

/** Of what was accepted, by which a repeat is told from a conflict; of a plain text its content does that. */
function bodyHash({ content, replyTo, mentions, metadata, messageType }: MessageToStore): string | undefined {
  if (replyTo === undefined && mentions === undefined && metadata === undefined && messageType === undefined)
    return undefined;
  const type = messageType === undefined ? [] : [messageType];
  const body = JSON.stringify([content, replyTo ?? null, mentions ?? null, metadata ?? null, ...type]);
  return `\\x${Bun.SHA256.hash(body, 'hex').slice(0, 2 * hashBytes)}`;
}

/**
 * Takes the locks of the tables that `store_messages` takes, touches no message, and commits: it answers where storing can
 * work at all. While somebody has locked a table whole, or the disk stands still, it does not. An update that finds nothing,
 * which is not known before, locks all partitions of `messages`; with "WHERE false" none is looked at.
 */
const probeSql = `WITH taken AS (UPDATE messages SET sequence = sequence WHERE now() IS NULL),
  advanced AS (UPDATE chats SET name = name WHERE false),
  mentioning AS (INSERT INTO mentions SELECT * FROM mentions WHERE false),
  asked AS (SELECT FROM chat_participants WHERE false)
INSERT INTO settings (key, value) VALUES ('store_probed_at', now()::text)
ON CONFLICT (key) DO UPDATE SET value = excluded.value`;

const promptMs = 1_000;

/** Whether PostgreSQL stores, promptly: then a batch that takes too long is itself the reason. */
export async function isStoring(database: Pick<Database, 'query'>): Promise<boolean> {
  try {
    await withDeadline(database.query(probeSql, []), promptMs, () => new Error('not promptly'));
    return true;
  } catch {
    return false;
  }
}
