import type { GetChanges } from '../../chat/get-changes.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Needs } from '../needs.ts';
import { changesPageSchema, changesQuery } from '../schemas/changes.ts';
import { chatParams } from '../schemas/chats.ts';

/** For those without a socket. */
export const changeRoutes = ({ token }: Needs, getChanges: GetChanges): Route[] => [
  route({
    method: 'GET',
    path: '/chats/:chatId/changes',
    needs: token(),
    params: chatParams,
    query: changesQuery,
    operation: {
      operationId: 'getChanges',
      summary: 'What has changed in a chat',
      description:
        'The events that a socket would have been sent since `after`, in order: at most 500, or 256 KiB. `eventSequence` is ' +
        'how far they reach; go on with it as `after` until `data` is empty. A row that changed twice is told once, with its ' +
        'last number.',
      tag: 'chats',
      responses: { 200: { description: 'The events.', schema: changesPageSchema } },
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params, query }) =>
      json(await getChanges({ userId, ...params, ...query })),
  }),
];
