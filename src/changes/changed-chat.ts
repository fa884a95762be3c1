import * as v from 'valibot';
import { settingsColumns } from '../db/queries/chat-columns.ts';
import type { ChatSettings, ChatUpdatedEvent } from '../shared/contract.ts';
import { chatSettingsSchema, counter, id } from '../shared/schemas.ts';
import type { ChangeKind } from './kind.ts';

/** Its name, its picture, who may post: the chat as it is now, but for what else changes it. Gateways read it: it is in the chat object. */
export const changedChat = {
  payload: v.pipe(
    v.object({ chatId: id, chat: chatSettingsSchema, eventSequence: counter }),
    v.metadata({ ref: 'ChatUpdatedEvent' }),
  ),
  believed: false,
  changedKind: 'chat',
  row: `SELECT row_to_json(shown) FROM (SELECT x.* FROM chats x WHERE x.id = c.id LIMIT 1) x
  CROSS JOIN LATERAL (SELECT ${settingsColumns('x')}) shown`,
  tell: ({ chatId, eventSequence }, [chat]) => ({
    chatId,
    eventSequence,
    event: 'chat.updated',
    payload: { chatId, chat, eventSequence },
  }),
} satisfies ChangeKind<ChatUpdatedEvent, ChatSettings>;
