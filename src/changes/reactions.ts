import * as v from 'valibot';
import { messageAt } from '../db/queries/message-columns.ts';
import type { ReactionsEvent } from '../shared/contract.ts';
import { counter, id, reactionSchema } from '../shared/schemas.ts';
import type { ChangeKind } from './kind.ts';

/** What a message has now, however many have reacted. Who it was is told by who writes it alone. */
export const reactions = {
  payload: v.pipe(
    v.object({
      chatId: id,
      messageId: id,
      sequence: counter,
      reactions: v.array(reactionSchema),
      by: v.exactOptional(v.array(v.object({ userId: id, key: v.string(), present: v.boolean() }))),
      eventSequence: counter,
    }),
    v.metadata({ ref: 'ReactionsEvent' }),
  ),
  believed: true,
  changedKind: 'reactions',
  row: `SELECT json_build_object('messageId', m.id, 'sequence', m.sequence, 'reactions', coalesce(m.reactions, '[]')::json)
    FROM (${messageAt('c.id', 'changed.key')}) m`,
  tell: ({ chatId, eventSequence }, [row]) => ({
    chatId,
    eventSequence,
    event: 'chat.message.reactions',
    sequence: row.sequence,
    payload: { chatId, ...row, eventSequence },
  }),
} satisfies ChangeKind<ReactionsEvent, Omit<ReactionsEvent, 'chatId' | 'eventSequence'>>;
