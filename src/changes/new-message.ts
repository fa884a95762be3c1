import * as v from 'valibot';
import { messageJson } from '../db/queries/message-columns.ts';
import type { Message, MessageEvent } from '../shared/contract.ts';
import { counter, id, messageSchema } from '../shared/schemas.ts';
import type { ChangeKind } from './kind.ts';

/** So many messages are read through rather than looked for. */
const near = 64;

/**
 * A chat's numbers count messages and all other changes together, so the messages after a number are among the last
 * `head - number` ones: a range of the primary key, with no index on `event_sequence`. It grows with all that is no message, and
 * where it is long its beginning is found by halves: with 100,000 messages and as many later changes a page took 40 ms, now 1 ms.
 */
const amongThese = 'c.last_sequence - (c.last_event_sequence - w.after)';
const lastKnown = `CASE WHEN least(c.last_sequence, w.after) - (${amongThese}) <= ${near} THEN ${amongThese}
  ELSE last_known_message(c.id, ${amongThese}, least(c.last_sequence, w.after) + 1, w.after, ${near}) END`;

const rows = `SELECT m.event_sequence AS "eventSequence", (${messageJson('m')})::json AS row
FROM messages m
WHERE m.chat_id = c.id AND m.sequence > ${lastKnown} AND m.event_sequence > w.after AND c.deleted_at IS NULL
ORDER BY m.sequence
LIMIT $3::int`;

export const messageEvent: v.GenericSchema<MessageEvent> = v.pipe(
  v.object({ chatId: id, message: messageSchema, eventSequence: counter }),
  v.metadata({ ref: 'MessageEvent' }),
);

/** Senders see their own messages as saved. */
export const newMessage = {
  payload: messageEvent,
  believed: true,
  rows,
  tell: ({ chatId, eventSequence }, [message]) => ({
    chatId,
    eventSequence,
    event: 'chat.message.new',
    actorId: message.senderId,
    actorEvent: 'chat.message.saved',
    sequence: message.sequence,
    payload: { chatId, message, eventSequence },
  }),
} satisfies ChangeKind<MessageEvent, Message>;
