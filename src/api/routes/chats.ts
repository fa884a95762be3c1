import type { CreateChat } from '../../chat/create-chat.ts';
import type { DeleteChat } from '../../chat/delete-chat.ts';
import type { GetChat } from '../../chat/get-chat.ts';
import type { ListChats } from '../../chat/list-chats.ts';
import type { UpdateChat } from '../../chat/update-chat.ts';
import { empty, json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Audit } from '../../shared/audit.ts';
import type { Needs } from '../needs.ts';
import {
  chatListQuery,
  chatPageSchema,
  chatParams,
  chatSchema,
  createChatBody,
  updateChatBody,
} from '../schemas/chats.ts';

export interface ChatVerbs {
  createChat: CreateChat;
  listChats: ListChats;
  getChat: GetChat;
  updateChat: UpdateChat;
  deleteChat: DeleteChat;
}

export const chatRoutes = ({ token }: Needs, verbs: ChatVerbs, audit: Audit): Route[] => [
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
      problems: ['user_not_found', 'chat_full'],
    },
    async handle({ body, ...asked }) {
      const creatorId = asked.identity.userId;
      const points = Math.max(1, body.participantUserIds.length);
      await asked.limits.consume([{ limit: 'invite', key: creatorId, points }]);
      const { chat, created } = await verbs.createChat({ creatorId, ...body, audit: audit(asked) });
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
  route({
    method: 'PATCH',
    path: '/chats/:chatId',
    needs: token(),
    params: chatParams,
    body: updateChatBody,
    makes: ['chat.updated'],
    operation: {
      operationId: 'updateChat',
      summary: 'Change what a group shows, and who may post in it',
      description:
        'By its owners and admins. What is not named stays as it is; null takes it away. For up to 30 s after `posting` ' +
        'has become `admins`, what others send may be accepted, and then fail.',
      tag: 'chats',
      responses: { 200: { description: 'The chat.', schema: chatSchema } },
      problems: ['not_allowed', 'chat_not_found', 'chat_is_direct'],
    },
    handle: async ({ identity, params, body }) =>
      json(await verbs.updateChat({ actorId: identity.userId, ...params, changes: body })),
  }),
  route({
    method: 'DELETE',
    path: '/chats/:chatId',
    needs: token(),
    transacts: true,
    params: chatParams,
    // A process that knows that chats change knows that they end.
    makes: ['chat.updated'],
    operation: {
      operationId: 'deleteChat',
      summary: 'Delete a group',
      description:
        'By an owner. Nobody takes part in it any more, each is told of their own removal, and what was said is gone within ' +
        'a day. What is on its way to it is refused. A direct chat can be archived.',
      tag: 'chats',
      responses: { 204: { description: 'It is deleted.' } },
      problems: ['not_owner', 'chat_not_found', 'chat_is_direct'],
    },
    async handle({ params, ...asked }) {
      await verbs.deleteChat({ actorId: asked.identity.userId, ...params, audit: audit(asked) });
      return empty(204);
    },
  }),
];
