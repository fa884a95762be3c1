import { Hono } from 'hono';
import type { GetHistory } from '../../chat/get-history.ts';
import type { GetMessage } from '../../chat/get-message.ts';
import { participantFact } from '../../chat/participant-fact.ts';
import type { SendMessage } from '../../chat/send-message.ts';
import { uuidPattern } from '../../shared/ids.ts';
import { messageSchema } from '../../shared/schemas.ts';
import type { ApiEnv } from '../env.ts';
import { jsonAnswer } from '../json-answer.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, jsonResponse } from '../openapi.ts';
import { chatParams } from '../schemas/chats.ts';
import {
  acceptedSchema,
  historyFrom,
  historyQuery,
  messagePageSchema,
  messageParams,
  sendBody,
} from '../schemas/messages.ts';
import { jsonBody, params, query } from '../validate.ts';

export interface MessageVerbs {
  sendMessage: SendMessage;
  getHistory: GetHistory;
  getMessage: GetMessage;
}

export function messageRoutes(requireIdentity: RequireIdentity, verbs: MessageVerbs): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .post(
      '/chats/:chatId/messages',
      describe({
        operationId: 'sendMessage',
        summary: 'Send a message',
        description:
          'Accepted: the broker has confirmed it, and it will be stored and delivered. After a 503 or a cut connection that ' +
          'is unknown; sending it again with the same `clientMessageId` is safe.',
        tag: 'messages',
        security: 'accessToken',
        body: true,
        responses: { 202: jsonResponse('Accepted.', acceptedSchema) },
        problems: ['chat_not_found', 'broker_unavailable'],
      }),
      requireIdentity(({ userId }, c) => {
        const chatId = c.req.param('chatId')?.toLowerCase() ?? '';
        return uuidPattern.test(chatId) ? [participantFact(chatId, userId)] : [];
      }),
      params(chatParams),
      jsonBody(sendBody),
      async (c) => {
        const { chatId } = c.req.valid('param');
        const accepted = await verbs.sendMessage({
          chatId,
          senderId: c.get('identity').userId,
          ...c.req.valid('json'),
          participant: c.get('facts')[0],
          requestId: c.get('requestId'),
          onPublish: () => c.set('deadlineCode', 'broker_unavailable'),
        });
        const { brokerMessageId } = accepted;
        c.get('log').debug({ requestId: c.get('requestId'), chatId, brokerMessageId }, 'message accepted');
        return c.json(accepted, 202);
      },
    )
    .get(
      '/chats/:chatId/messages',
      describe({
        operationId: 'getHistory',
        summary: "A page of a chat's messages",
        description:
          'Ascending by `sequence`; without a cursor the newest. `before` and `after` are sequences, exclude the message they ' +
          'name, and exclude each other.',
        tag: 'messages',
        security: 'accessToken',
        responses: { 200: jsonResponse('The page.', messagePageSchema) },
        problems: ['validation_failed', 'chat_not_found'],
      }),
      requireIdentity(),
      params(chatParams),
      query(historyQuery),
      async (c) => {
        const { chatId } = c.req.valid('param');
        const { limit, ...cursor } = c.req.valid('query');
        const { userId } = c.get('identity');
        return jsonAnswer(c, await verbs.getHistory({ chatId, userId, limit, from: historyFrom(cursor) }));
      },
    )
    .get(
      '/chats/:chatId/messages/:messageId',
      describe({
        operationId: 'getMessage',
        summary: 'A message',
        description: 'Its id is the `brokerMessageId` that the send answered with.',
        tag: 'messages',
        security: 'accessToken',
        responses: { 200: jsonResponse('The message.', messageSchema) },
        problems: ['validation_failed', 'chat_not_found', 'message_not_found'],
      }),
      requireIdentity(),
      params(messageParams),
      async (c) =>
        c.json(await verbs.getMessage({ userId: c.get('identity').userId, ...c.req.valid('param') })),
    );
}
