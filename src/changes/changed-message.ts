import { messageAt, messageJson } from '../db/queries/message-columns.ts';
import type { Message, MessageEvent } from '../shared/contract.ts';
import type { ChangeKind } from './kind.ts';
import { messageEvent } from './new-message.ts';

/** Edited or deleted: the message as it is now, or what is left of it. */
export const changedMessage = {
  payload: messageEvent,
  believed: true,
  changedKind: 'message',
  row: `SELECT (${messageJson('m')})::json FROM (${messageAt('c.id', 'changed.key')}) m`,
  tell: ({ chatId, eventSequence }, [message]) => ({
    chatId,
    eventSequence,
    event: message.deletedAt === undefined ? 'chat.message.updated' : 'chat.message.deleted',
    sequence: message.sequence,
    payload: { chatId, message, eventSequence },
  }),
} satisfies ChangeKind<MessageEvent, Message>;
