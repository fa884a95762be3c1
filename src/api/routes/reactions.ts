import type { React } from '../../chat/gather-reactions.ts';
import type { ListReactions } from '../../chat/list-reactions.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Needs } from '../needs.ts';
import { messageParams } from '../schemas/messages.ts';
import {
  messageReactionsSchema,
  reactionParams,
  reactionsQuery,
  reactorPageSchema,
} from '../schemas/reactions.ts';

export interface ReactionVerbs {
  react: React;
  listReactions: ListReactions;
}

const answers = { 200: { description: 'What the message has now.', schema: messageReactionsSchema } };
const problems = ['chat_not_found', 'message_not_found', 'message_deleted'] as const;

export const reactionRoutes = ({ token }: Needs, { react, listReactions }: ReactionVerbs): Route[] => [
  route({
    method: 'PUT',
    path: '/chats/:chatId/messages/:messageId/reactions/:key',
    needs: token(),
    params: reactionParams,
    makes: ['chat.message.reactions'],
    operation: {
      operationId: 'react',
      summary: 'React to a message',
      description: 'Safe to repeat. A message has at most 20 different keys.',
      tag: 'messages',
      responses: answers,
      problems: [...problems, 'too_many_reactions'],
    },
    handle: async ({ identity: { userId }, params }) =>
      json(await react({ userId, ...params, present: true })),
  }),
  route({
    method: 'DELETE',
    path: '/chats/:chatId/messages/:messageId/reactions/:key',
    needs: token(),
    params: reactionParams,
    makes: ['chat.message.reactions'],
    operation: {
      operationId: 'takeReactionBack',
      summary: 'Take a reaction back',
      description: 'Safe to repeat.',
      tag: 'messages',
      responses: answers,
      problems,
    },
    handle: async ({ identity: { userId }, params }) =>
      json(await react({ userId, ...params, present: false })),
  }),
  route({
    method: 'GET',
    path: '/chats/:chatId/messages/:messageId/reactions',
    needs: token(),
    params: messageParams,
    query: reactionsQuery,
    operation: {
      operationId: 'listReactions',
      summary: 'Who has reacted to a message',
      description: 'By key, the first ones first; with `key` of that one alone.',
      tag: 'messages',
      responses: { 200: { description: 'A page of them.', schema: reactorPageSchema } },
      problems: ['chat_not_found', 'message_not_found'],
    },
    handle: async ({ identity: { userId }, params, query }) =>
      json(await listReactions({ userId, ...params, ...query })),
  }),
];
