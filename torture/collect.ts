import amqplib from 'amqplib';
import postgres from 'postgres';
import { openRabbitMq } from '../src/adapters/rabbitmq/rabbitmq.ts';
import type { RabbitServer } from '../src/commands/servers/rabbitmq.ts';
import { iso } from '../src/db/database.ts';
import { joinUnread } from '../src/db/queries/membership-columns.ts';
import { parseConfig } from '../src/shared/config.ts';
import { createLog } from '../src/shared/log.ts';
import { createMetrics } from '../src/shared/metrics/metrics.ts';
import type {
  ChangeRow,
  ChatRow,
  DatabaseRows,
  DeadLetterRow,
  MessageRow,
  ParticipantRow,
  ReactionsRow,
} from './rows.ts';

/** All that is judged, by whatever runs a statement. */
export async function readRows(
  query: <Row extends object>(text: string) => Promise<Row[]>,
): Promise<DatabaseRows> {
  return {
    chats: await query<ChatRow>(`SELECT id, last_sequence AS "lastSequence",
      last_event_sequence AS "lastNumber", participant_count AS "participantCount",
      coalesce(posting, 'all') || ' ' || coalesce(name, '') AS settings,
      (SELECT n.event_sequence FROM chat_changes n WHERE n.chat_id = chats.id AND n.kind = 'chat') AS "settingsNumber",
      deleted_at IS NOT NULL AS deleted FROM chats`),
    messages: await query<MessageRow>(`SELECT chat_id AS "chatId", sequence, id, sender_id AS "senderId",
      client_message_id AS "clientMessageId", content, event_sequence AS number, ${iso('sent_at')} AS "sentAt",
      version, deleted_at IS NOT NULL AS deleted, reply_to AS quoted, mentions
      FROM messages ORDER BY chat_id, sequence`),
    changes: await query<ChangeRow>(`SELECT chat_id AS "chatId", key AS sequence, event_sequence AS number
      FROM chat_changes WHERE kind = 'message'`),
    reactions:
      await query<ReactionsRow>(`SELECT n.chat_id AS "chatId", n.key AS sequence, n.event_sequence AS number,
      coalesce(m.reactions, '[]')::json AS shown,
      (SELECT coalesce(json_agg(json_build_object('key', r.key, 'count', r.count)), '[]') FROM (
        SELECT x.key, count(*)::int AS count FROM reactions x
        WHERE x.chat_id = n.chat_id AND x.sequence = n.key GROUP BY x.key
      ) r) AS counted
      FROM chat_changes n JOIN messages m ON m.chat_id = n.chat_id AND m.sequence = n.key
      WHERE n.kind = 'reactions'`),
    participants: await query<ParticipantRow>(`SELECT me.chat_id AS "chatId", me.user_id AS "userId",
      me.left_at IS NULL AS active, me.role <> 'member' AS leads, me.created_event_sequence AS "createdNumber",
      me.changed_event_sequence AS "changedNumber", me.last_read_sequence AS "lastReadSequence",
      me.membership_version AS version, unread.count AS "unreadCount", unread.mentions AS "unreadMentionCount"
      FROM chat_participants me JOIN chats c ON c.id = me.chat_id ${joinUnread('me', 'c')}`),
  };
}

export async function readDatabase(url: string): Promise<DatabaseRows> {
  const sql = postgres(url, {
    max: 1,
    onnotice: () => {},
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
  });
  try {
    return await readRows(async <Row extends object>(text: string) => [...(await sql.unsafe<Row[]>(text))]);
  } finally {
    await sql.end({ timeout: 2 });
  }
}

/** What there is to know: each chat's last number, and each version of a membership, by chat and user. */
export interface Latest {
  heads: ReadonlyMap<string, number>;
  /** Deleted chats of which something is left. */
  toPurge: number;
  versions: ReadonlyMap<string, number>;
}

export const readLatest = (url: string): Promise<Latest> =>
  asking(url, async (sql) => {
    const memberships = await sql`SELECT chat_id || ' ' || user_id AS pair, membership_version::int AS version
      FROM chat_participants WHERE left_at IS NULL`;
    const [purge] = await sql`SELECT count(*)::int AS left FROM chats_to_purge`;
    return {
      heads: await headsOf(sql),
      toPurge: Number(purge?.left),
      versions: new Map(memberships.map(({ pair, version }) => [pair, version])),
    };
  });

/** Each chat's last number, of a database before memberships had versions, too. */
export const readHeads = (url: string): Promise<Map<string, number>> => asking(url, headsOf);

async function headsOf(sql: postgres.Sql): Promise<Map<string, number>> {
  const chats = await sql`SELECT id, last_event_sequence::int AS head FROM chats`;
  return new Map(chats.map(({ id, head }) => [id, head]));
}

async function asking<Answer>(url: string, ask: (sql: postgres.Sql) => Promise<Answer>): Promise<Answer> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 3 });
  try {
    return await ask(sql);
  } finally {
    await sql.end({ timeout: 2 });
  }
}

export async function readDeadLetters(environment: Record<string, string>): Promise<DeadLetterRow[]> {
  const { broker, partitionCount } = parseConfig(environment);
  const log = createLog({ logLevel: 'silent', environment: 'production' }, 'torture');
  const queue = openRabbitMq({ metrics: createMetrics(), broker, partitionCount, log, waitMs: 15_000 });
  try {
    const letters = await (await queue.deadLetterStore()).list();
    // What the store says of a letter that carries none.
    return letters.map(({ id, reason, body }) => ({ id, body, reason: reason === 'unknown' ? '' : reason }));
  } finally {
    await queue.close();
  }
}

/** What waits in the partitions, without what a worker has in hand. */
export async function waitingMessages(url: string, queuePrefix = 'chat.message.send'): Promise<number> {
  const connection = await amqplib.connect(url, { timeout: 3_000 });
  connection.on('error', () => {});
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    let waiting = 0;
    for (let partition = 0; partition < 8; partition += 1) {
      waiting += (await channel.checkQueue(`${queuePrefix}.p${partition}`)).messageCount;
    }
    return waiting;
  } finally {
    await connection.close();
  }
}

/** A quorum queue's counts are those of its last tick, every 5 s. */
const countsDeadlineMs = 20_000;

/** All that is in the queues, in hand or not, but for the dead letters; waits for counts that are of now. */
export async function readQueues(rabbitmq: RabbitServer): Promise<{ name: string; messages: number }[]> {
  const deadline = performance.now() + countsDeadlineMs;
  for (;;) {
    const queues = await listQueues(rabbitmq);
    if (queues.every(({ messages }) => messages === 0) || performance.now() > deadline) return queues;
    await Bun.sleep(1_000);
  }
}

async function listQueues(rabbitmq: RabbitServer): Promise<{ name: string; messages: number }[]> {
  const output = await rabbitmq.ctl('list_queues', '--no-table-headers', 'name', 'messages');
  return output
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([name]) => name?.startsWith('chat.') && !name.endsWith('.dlq'))
    .map(([name = '', messages]) => ({ name, messages: Number(messages) }));
}
