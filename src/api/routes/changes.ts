import { Hono } from 'hono';
import type { GetChanges } from '../../chat/get-changes.ts';
import type { ApiEnv } from '../env.ts';
import { jsonAnswer } from '../json-answer.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, jsonResponse } from '../openapi.ts';
import { changesPageSchema, changesQuery } from '../schemas/changes.ts';
import { chatParams } from '../schemas/chats.ts';
import { params, query } from '../validate.ts';

/** For those without a socket. */
export function changeRoutes(requireIdentity: RequireIdentity, getChanges: GetChanges): Hono<ApiEnv> {
  return new Hono<ApiEnv>().get(
    '/chats/:chatId/changes',
    describe({
      operationId: 'getChanges',
      summary: 'What has changed in a chat',
      description:
        'The events that a socket would have been sent since `after`, in order: at most 500, or 256 KiB. `eventSequence` is ' +
        'how far they reach; go on with it as `after` until `data` is empty. A row that changed twice is told once, with its ' +
        'last number.',
      tag: 'chats',
      security: 'accessToken',
      responses: { 200: jsonResponse('The events.', changesPageSchema) },
      problems: ['validation_failed', 'chat_not_found'],
    }),
    requireIdentity(),
    params(chatParams),
    query(changesQuery),
    async (c) => {
      const { chatId } = c.req.valid('param');
      const { userId } = c.get('identity');
      return jsonAnswer(c, JSON.stringify(await getChanges({ chatId, userId, ...c.req.valid('query') })));
    },
  );
}
