import { Hono } from 'hono';
import type { AddParticipants } from '../../chat/add-participants.ts';
import type { ListParticipants } from '../../chat/list-participants.ts';
import type { RemoveParticipant } from '../../chat/remove-participant.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import { jsonAnswer } from '../json-answer.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, emptyResponse, jsonResponse } from '../openapi.ts';
import { chatParams } from '../schemas/chats.ts';
import { listQuery } from '../schemas/lists.ts';
import { addParticipantsBody, participantPageSchema, participantParams } from '../schemas/participants.ts';
import { jsonBody, params, query } from '../validate.ts';

export interface ParticipantVerbs {
  listParticipants: ListParticipants;
  addParticipants: AddParticipants;
  removeParticipant: RemoveParticipant;
}

export function participantRoutes(
  requireIdentity: RequireIdentity,
  rateLimits: RateLimits,
  verbs: ParticipantVerbs,
): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      '/chats/:chatId/participants',
      describe({
        operationId: 'listParticipants',
        summary: 'The participants of a chat, longest members first',
        tag: 'participants',
        security: 'accessToken',
        responses: { 200: jsonResponse('A page of participants.', participantPageSchema) },
        problems: ['validation_failed', 'chat_not_found'],
      }),
      requireIdentity(),
      params(chatParams),
      query(listQuery),
      async (c) => {
        const { chatId } = c.req.valid('param');
        const { userId } = c.get('identity');
        const page = await verbs.listParticipants({ chatId, userId, ...c.req.valid('query') });
        return jsonAnswer(c, JSON.stringify(page));
      },
    )
    .post(
      '/chats/:chatId/participants',
      describe({
        operationId: 'addParticipants',
        summary: 'Add participants to a group',
        description:
          'For owners. Who takes part already stays as they are. Who has left by themselves is not put back within a day ' +
          'by the owner who had added them.',
        tag: 'participants',
        security: 'accessToken',
        body: true,
        responses: { 200: jsonResponse('The named users as participants.', participantPageSchema) },
        problems: ['not_owner', 'chat_not_found', 'user_not_found', 'chat_is_direct', 'recently_left'],
      }),
      requireIdentity(),
      params(chatParams),
      jsonBody(addParticipantsBody),
      async (c) => {
        const { chatId } = c.req.valid('param');
        const { userIds } = c.req.valid('json');
        const actorId = c.get('identity').userId;
        await rateLimits.consume([{ limit: 'invite', key: actorId, points: userIds.length }]);
        const data = await verbs.addParticipants({ chatId, actorId, userIds });
        return c.json({ data, nextCursor: null });
      },
    )
    .delete(
      '/chats/:chatId/participants/:userId',
      describe({
        operationId: 'removeParticipant',
        summary: 'Remove a participant from a group, or leave it',
        description:
          'Owners remove anyone, everybody removes themselves. The last owner to leave passes the chat to its longest member.',
        tag: 'participants',
        security: 'accessToken',
        responses: { 204: emptyResponse('They take part no more.') },
        problems: ['validation_failed', 'not_owner', 'chat_not_found', 'user_not_found', 'chat_is_direct'],
      }),
      requireIdentity(),
      params(participantParams),
      async (c) => {
        await verbs.removeParticipant({ actorId: c.get('identity').userId, ...c.req.valid('param') });
        return c.body(null, 204);
      },
    );
}
