import { Hono } from 'hono';
import type { CreateChat } from '../../chat/create-chat.ts';
import type { GetChat } from '../../chat/get-chat.ts';
import type { ListChats } from '../../chat/list-chats.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import { jsonAnswer } from '../json-answer.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, jsonResponse } from '../openapi.ts';
import { chatPageSchema, chatParams, chatSchema, createChatBody } from '../schemas/chats.ts';
import { listQuery } from '../schemas/lists.ts';
import { jsonBody, params, query } from '../validate.ts';

export interface ChatVerbs {
  createChat: CreateChat;
  listChats: ListChats;
  getChat: GetChat;
}

export function chatRoutes(
  requireIdentity: RequireIdentity,
  rateLimits: RateLimits,
  verbs: ChatVerbs,
): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .post(
      '/chats',
      describe({
        operationId: 'createChat',
        summary: 'Create a chat',
        description:
          'Its creator takes part without being named, and owns it. A chat is a group when it has a name or more than ' +
          'one other participant; of a direct chat there is one for each pair, whoever asks and however often.',
        tag: 'chats',
        security: 'accessToken',
        body: true,
        responses: {
          201: jsonResponse('The chat.', chatSchema),
          200: jsonResponse('The direct chat that the two have already.', chatSchema),
        },
        problems: ['user_not_found'],
      }),
      requireIdentity(),
      jsonBody(createChatBody),
      async (c) => {
        const creatorId = c.get('identity').userId;
        const body = c.req.valid('json');
        const points = Math.max(1, body.participantUserIds.length);
        await rateLimits.consume([{ limit: 'invite', key: creatorId, points }]);
        const { chat, created } = await verbs.createChat({ creatorId, ...body });
        return c.json(chat, created ? 201 : 200);
      },
    )
    .get(
      '/chats',
      describe({
        operationId: 'listChats',
        summary: 'The chats you take part in, newest activity first',
        tag: 'chats',
        security: 'accessToken',
        responses: { 200: jsonResponse('A page of chats.', chatPageSchema) },
        problems: ['validation_failed'],
      }),
      requireIdentity(),
      query(listQuery),
      async (c) => {
        const page = await verbs.listChats({ userId: c.get('identity').userId, ...c.req.valid('query') });
        return jsonAnswer(c, JSON.stringify(page));
      },
    )
    .get(
      '/chats/:chatId',
      describe({
        operationId: 'getChat',
        summary: 'A chat',
        tag: 'chats',
        security: 'accessToken',
        responses: { 200: jsonResponse('The chat.', chatSchema) },
        problems: ['validation_failed', 'chat_not_found'],
      }),
      requireIdentity(),
      params(chatParams),
      async (c) => {
        const { chatId } = c.req.valid('param');
        return c.json(await verbs.getChat({ chatId, userId: c.get('identity').userId }));
      },
    );
}
