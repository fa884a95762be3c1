import type { CreateChat } from '../../chat/create-chat.ts';
import type { GetChat } from '../../chat/get-chat.ts';
import type { ListChats } from '../../chat/list-chats.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Needs } from '../needs.ts';
import { chatListQuery, chatPageSchema, chatParams, chatSchema, createChatBody } from '../schemas/chats.ts';

export interface ChatVerbs {
  createChat: CreateChat;
  listChats: ListChats;
  getChat: GetChat;
}

export const chatRoutes = ({ token }: Needs, verbs: ChatVerbs): Route[] => [
  route({
    method: 'POST',
    path: '/chats',
    needs: token(),
    transacts: true,
    body: createChatBody,
    operation: {
      operationId: 'createChat',
      summary: 'Create a chat',
      description:
        'Its creator takes part without being named, and owns it. A chat is a group when it has a name or more than ' +
        'one other participant; of a direct chat there is one for each pair, whoever asks and however often.',
      tag: 'chats',
      responses: {
        201: { description: 'The chat.', schema: chatSchema },
        200: { description: 'The direct chat that the two have already.', schema: chatSchema },
      },
      problems: ['user_not_found'],
    },
    async handle({ identity, limits, body }) {
      const creatorId = identity.userId;
      const points = Math.max(1, body.participantUserIds.length);
      await limits.consume([{ limit: 'invite', key: creatorId, points }]);
      const { chat, created } = await verbs.createChat({ creatorId, ...body });
      return json(chat, created ? 201 : 200);
    },
  }),
  route({
    method: 'GET',
    path: '/chats',
    needs: token(),
    query: chatListQuery,
    operation: {
      operationId: 'listChats',
      summary: 'The chats you take part in, newest activity first',
      description: 'But for those that you have archived.',
      tag: 'chats',
      responses: { 200: { description: 'A page of chats.', schema: chatPageSchema } },
    },
    handle: async ({ identity: { userId }, query }) => json(await verbs.listChats({ userId, ...query })),
  }),
  route({
    method: 'GET',
    path: '/chats/:chatId',
    needs: token(),
    params: chatParams,
    operation: {
      operationId: 'getChat',
      summary: 'A chat',
      tag: 'chats',
      responses: { 200: { description: 'The chat.', schema: chatSchema } },
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params }) => json(await verbs.getChat({ userId, ...params })),
  }),
];
