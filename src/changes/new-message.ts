import * as v from 'valibot';
import { messageJson } from '../db/queries/message-columns.ts';
import type { Message, MessageEvent } from '../shared/contract.ts';
import { counter, id, messageSchema } from '../shared/schemas.ts';
import type { ChangeKind } from './kind.ts';

/**
 * A chat's numbers count messages and all other changes together, so the messages after a number are among the last
 * `head - number` ones: a range of the primary key, with no index on `event_sequence`.
 */
const rows = `SELECT m.event_sequence AS "eventSequence", (${messageJson('m')})::json AS row
FROM messages m
WHERE m.chat_id = c.id
  AND m.sequence > c.last_sequence - (c.last_event_sequence - w.after)
  AND m.event_sequence > w.after
ORDER BY m.sequence
LIMIT $3::int`;

/** Senders see their own messages as saved. */
export const newMessage = {
  payload: v.pipe(
    v.object({ chatId: id, message: messageSchema, eventSequence: counter }),
    v.metadata({ ref: 'MessageEvent' }),
  ),
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
