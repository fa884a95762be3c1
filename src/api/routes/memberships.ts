import type { ChangeMembership } from '../../chat/change-membership.ts';
import type { GetUnread } from '../../chat/get-unread.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Needs } from '../needs.ts';
import { chatParams } from '../schemas/chats.ts';
import {
  membershipBody,
  membershipSchema,
  readBody,
  unreadBody,
  unreadTotalsSchema,
} from '../schemas/memberships.ts';

export interface MembershipVerbs extends ChangeMembership {
  getUnread: GetUnread;
}

const answers = { 200: { description: 'Your membership.', schema: membershipSchema } };

/** What one has read and set for oneself. */
export const membershipRoutes = ({ token }: Needs, verbs: MembershipVerbs): Route[] => [
  route({
    method: 'GET',
    path: '/chats/unread',
    needs: token(),
    operation: {
      operationId: 'getUnread',
      summary: 'What is unread in all of your chats',
      description: 'Archived and muted chats count by their mentions alone. `chatIds` names 1,000 at most.',
      tag: 'chats',
      responses: { 200: { description: 'The totals.', schema: unreadTotalsSchema } },
    },
    handle: async ({ identity: { userId } }) => json(await verbs.getUnread({ userId })),
  }),
  route({
    method: 'PUT',
    path: '/chats/:chatId/read',
    needs: token({ limit: 'read' }),
    params: chatParams,
    body: readBody,
    operation: {
      operationId: 'markRead',
      summary: 'You have read a chat up to a message',
      description:
        'Never backwards; beyond the last message it is the last message. With the `version` of a membership that has ' +
        'changed since, elsewhere, nothing is read: the answer is what it is now.',
      tag: 'chats',
      responses: answers,
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params, body }) =>
      json(await verbs.markRead({ userId, ...params, ...body })),
  }),
  route({
    method: 'PUT',
    path: '/chats/:chatId/unread',
    needs: token({ limit: 'read' }),
    params: chatParams,
    body: unreadBody,
    operation: {
      operationId: 'markUnread',
      summary: 'A message, and all after it, is unread',
      tag: 'chats',
      responses: answers,
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params, body }) =>
      json(await verbs.markUnread({ userId, ...params, ...body })),
  }),
  route({
    method: 'PATCH',
    path: '/chats/:chatId/membership',
    needs: token(),
    params: chatParams,
    body: membershipBody,
    operation: {
      operationId: 'setMembership',
      summary: 'Notifications, muting, pinning and archiving, for yourself',
      description: 'What is not named stays as it is. `mutedUntil: null` ends the muting.',
      tag: 'chats',
      responses: answers,
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params, body: settings }) =>
      json(await verbs.set({ userId, ...params, settings })),
  }),
];
