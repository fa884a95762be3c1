import type { GetPresence } from '../../chat/get-presence.ts';
import { liveFact, participantFact } from '../../chat/participant-fact.ts';
import type { SetTyping } from '../../chat/set-typing.ts';
import { empty, json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { aboutChat, type Needs } from '../needs.ts';
import { chatParams } from '../schemas/chats.ts';
import { presenceQuery, presenceSchema, typingBody } from '../schemas/presence.ts';

export interface PresenceVerbs {
  setTyping: SetTyping;
  getPresence: GetPresence;
}

/** What is true for a moment. */
export const presenceRoutes = ({ token }: Needs, { setTyping, getPresence }: PresenceVerbs): Route[] => [
  route({
    method: 'PUT',
    path: '/chats/:chatId/typing',
    needs: token({
      facts: aboutChat((chatId, userId) => [participantFact(chatId, userId), liveFact(chatId)]),
      limit: 'typing',
    }),
    params: chatParams,
    body: typingBody,
    operation: {
      operationId: 'setTyping',
      summary: 'You are typing, or are not any more',
      description:
        'The others in the chat are told, in chats of no more than `CHAT_LIVE_MAX` participants. Repeat it while somebody types; of ' +
        'what comes within 3 s of another one nobody is told.',
      tag: 'chats',
      responses: { 204: { description: 'Heard.' } },
      problems: ['chat_not_found', 'not_allowed'],
    },
    async handle({ identity: { userId }, facts, params: { chatId }, body: { typing } }) {
      await setTyping({ chatId, userId, typing, facts });
      return empty(204);
    },
  }),
  route({
    method: 'GET',
    path: '/presence',
    needs: token(),
    query: presenceQuery,
    operation: {
      operationId: 'getPresence',
      summary: 'Who is online',
      description:
        'Of the named users those who share a chat with you. To who shows it to nobody (`PATCH /users/me`) everybody is offline, as ' +
        'they are to everybody.',
      tag: 'users',
      responses: { 200: { description: 'Those of them.', schema: presenceSchema } },
    },
    handle: async ({ identity: { userId }, query: { userIds } }) =>
      json({ data: await getPresence({ viewerId: userId, userIds }) }),
  }),
];
