import postgres from 'postgres';
import {
  createNotificationCodec,
  type NotificationCodec,
} from '../../src/adapters/redis/notification-codec.ts';
import { changeNotification } from '../../src/changes/announce.ts';
import { newMessage } from '../../src/changes/new-message.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { notificationKey } from '../../src/db/settings.ts';
import type { MessageEvent } from '../../src/shared/contract.ts';
import type { Topic } from '../../src/shared/ports/notifications.ts';
import { createMessages, flat, type PreparedMessage } from './messages.ts';
import type { Rooms } from './population.ts';

export interface Announcement {
  topic: Topic;
  /** As it goes through Redis. */
  wire: string;
}

const storeSql = `WITH new AS (
  SELECT * FROM unnest($1::text[]::uuid[], $2::bigint[], $3::text[]::uuid[], $4::text[]::uuid[], $5::text[]::uuid[], $6::text[],
    $7::text[]::timestamptz[], $8::bigint[])
    AS n (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
), stored AS (
  INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
  SELECT * FROM new
)
UPDATE chats SET last_sequence = heads.sequence, last_event_sequence = heads.event_sequence
FROM (SELECT chat_id, max(sequence) AS sequence, max(event_sequence) AS event_sequence FROM new GROUP BY chat_id) heads
WHERE chats.id = heads.chat_id`;

const rowsAtOnce = 5_000;

/** As the processes of the deployment sign and believe them. */
export async function announcementCodec(databaseUrl: string): Promise<NotificationCodec> {
  const database = openPostgres({ url: databaseUrl, applicationName: 'confab-bench', maxConnections: 1 });
  try {
    return createNotificationCodec(await notificationKey(database));
  } finally {
    await database.close();
  }
}

/**
 * What a worker announces, and in PostgreSQL before it is announced: a gateway that compares itself with the database in the
 * middle of a window finds nothing amiss.
 */
export function createAnnouncements(
  databaseUrl: string,
  codec: NotificationCodec,
): (rooms: Rooms, count: number) => Promise<Announcement[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const makeMessages = createMessages();

  async function store(messages: readonly PreparedMessage[]): Promise<void> {
    const events: MessageEvent[] = messages.map(({ body }) => JSON.parse(body));
    await sql.unsafe(
      storeSql,
      [
        events.map((event) => event.chatId),
        events.map((event) => event.message.sequence),
        events.map((event) => event.message.id),
        events.map((event) => event.message.senderId),
        events.map((event) => event.message.clientMessageId),
        events.map((event) => event.message.content),
        events.map((event) => event.message.sentAt),
        events.map((event) => event.eventSequence),
      ],
      { prepare: true },
    );
  }

  return async (rooms, count) => {
    const messages = makeMessages(rooms, count);
    for (let at = 0; at < count; at += rowsAtOnce) await store(messages.slice(at, at + rowsAtOnce));
    return messages.map(({ body }) => {
      const { chatId, eventSequence, message }: MessageEvent = JSON.parse(body);
      const told = newMessage.tell({ chatId, eventSequence }, [message]);
      const notification = changeNotification(told);
      return { topic: notification.topic, wire: flat(codec.encode(notification)) };
    });
  };
}
