import type { DeleteMessage } from '../../chat/delete-message.ts';
import type { EditMessage } from '../../chat/edit-message.ts';
import type { GetHistory } from '../../chat/get-history.ts';
import type { GetMessage } from '../../chat/get-message.ts';
import { participantFact } from '../../chat/participant-fact.ts';
import type { SendMessage } from '../../chat/send-message.ts';
import { empty, json, jsonText } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { ChatError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { messageSchema } from '../../shared/schemas.ts';
import { aboutChat, type Needs } from '../needs.ts';
import { chatParams } from '../schemas/chats.ts';
import {
  acceptedSchema,
  editBody,
  editOf,
  extrasOf,
  historyFrom,
  historyQuery,
  messagePageSchema,
  messageParams,
  sendBody,
} from '../schemas/messages.ts';

export interface MessageVerbs {
  sendMessage: SendMessage;
  editMessage: EditMessage;
  deleteMessage: DeleteMessage;
  getHistory: GetHistory;
  getMessage: GetMessage;
}

export const messageRoutes = (
  { token, tokenOrService }: Needs,
  verbs: MessageVerbs,
  log: Logger,
): Route[] => [
  route({
    method: 'POST',
    path: '/chats/:chatId/messages',
    needs: token({ facts: aboutChat((chatId, userId) => [participantFact(chatId, userId)]) }),
    params: chatParams,
    body: sendBody,
    counts: 'confab_sends_total',
    operation: {
      operationId: 'sendMessage',
      summary: 'Send a message',
      description:
        'Accepted: the broker has confirmed it, and it will be stored and delivered. After a 503 or a cut connection that ' +
        'is unknown; sending it again with the same `clientMessageId` is safe.',
      tag: 'messages',
      responses: { 202: { description: 'Accepted.', schema: acceptedSchema } },
      problems: ['chat_not_found', 'not_allowed', 'broker_unavailable', 'not_ready'],
    },
    async handle({ identity, facts, byService, params: { chatId }, body, requestId, late }) {
      if (body.messageType === 'system' && !byService)
        throw new ChatError('not_allowed', 'System messages are sent by the service token alone.');
      const accepted = await verbs.sendMessage({
        chatId,
        senderId: identity.userId,
        content: body.content,
        clientMessageId: body.clientMessageId,
        extras: extrasOf(body),
        participant: facts[0],
        requestId,
        onPublish: () => late('broker_unavailable'),
      });
      const { brokerMessageId } = accepted;
      log.debug({ requestId, chatId, brokerMessageId }, 'message accepted');
      return json(accepted, 202);
    },
  }),
  route({
    method: 'GET',
    path: '/chats/:chatId/messages',
    needs: token(),
    params: chatParams,
    query: historyQuery,
    operation: {
      operationId: 'getHistory',
      summary: "A page of a chat's messages",
      description:
        'Ascending by `sequence`; without a cursor the newest. `before` and `after` are sequences, exclude the message they ' +
        'name, and exclude each other.',
      tag: 'messages',
      responses: { 200: { description: 'The page.', schema: messagePageSchema } },
      problems: ['chat_not_found'],
    },
    async handle({ identity: { userId }, params: { chatId }, query: { limit, ...cursor } }) {
      return jsonText(await verbs.getHistory({ chatId, userId, limit, from: historyFrom(cursor) }));
    },
  }),
  route({
    method: 'GET',
    path: '/chats/:chatId/messages/:messageId',
    needs: token(),
    params: messageParams,
    operation: {
      operationId: 'getMessage',
      summary: 'A message',
      description: 'Its id is the `brokerMessageId` that the send answered with.',
      tag: 'messages',
      responses: { 200: { description: 'The message.', schema: messageSchema } },
      problems: ['chat_not_found', 'message_not_found'],
    },
    handle: async ({ identity: { userId }, params }) => json(await verbs.getMessage({ userId, ...params })),
  }),
  route({
    method: 'PATCH',
    path: '/chats/:chatId/messages/:messageId',
    needs: token(),
    params: messageParams,
    body: editBody,
    makes: ['chat.message.updated'],
    operation: {
      operationId: 'editMessage',
      summary: 'Edit a message',
      description:
        'By its sender alone, a system message by the service token alone. What the body does not name stays as it is. Not ' +
        'found until it is stored: wait for `chat.message.saved`.',
      tag: 'messages',
      responses: { 200: { description: 'The message as it is now.', schema: messageSchema } },
      problems: [
        ...(['not_allowed', 'edit_window_closed', 'chat_not_found', 'message_not_found'] as const),
        'message_deleted',
      ],
    },
    handle: async ({ identity, byService, params, body }) =>
      json(await verbs.editMessage({ actorId: identity.userId, byService, ...params, edit: editOf(body) })),
  }),
  route({
    method: 'DELETE',
    path: '/chats/:chatId/messages/:messageId',
    needs: tokenOrService,
    params: messageParams,
    makes: ['chat.message.deleted'],
    operation: {
      operationId: 'deleteMessage',
      summary: 'Delete a message',
      description:
        'By its sender, in a group by an owner or admin, any by the service token with `X-Act-As: service`. Its place stays, without a ' +
        'word of it. Safe to repeat.',
      tag: 'messages',
      responses: { 204: { description: 'It is deleted.' } },
      problems: ['not_allowed', 'chat_not_found', 'message_not_found'],
    },
    async handle({ identity, params }) {
      await verbs.deleteMessage({ actorId: identity?.userId, ...params });
      return empty(204);
    },
  }),
];
