import type { AddParticipants } from '../../chat/add-participants.ts';
import type { ListParticipants } from '../../chat/list-participants.ts';
import type { RemoveParticipant } from '../../chat/remove-participant.ts';
import type { SetRole } from '../../chat/set-role.ts';
import { empty, json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import type { Audit } from '../../shared/audit.ts';
import { participantSchema } from '../../shared/schemas.ts';
import type { Needs } from '../needs.ts';
import { chatParams } from '../schemas/chats.ts';
import { listQuery } from '../schemas/lists.ts';
import {
  addParticipantsBody,
  participantPageSchema,
  participantParams,
  roleBody,
} from '../schemas/participants.ts';

export interface ParticipantVerbs {
  listParticipants: ListParticipants;
  addParticipants: AddParticipants;
  removeParticipant: RemoveParticipant;
  setRole: SetRole;
}

export const participantRoutes = ({ token }: Needs, verbs: ParticipantVerbs, audit: Audit): Route[] => [
  route({
    method: 'GET',
    path: '/chats/:chatId/participants',
    needs: token(),
    params: chatParams,
    query: listQuery,
    operation: {
      operationId: 'listParticipants',
      summary: 'The participants of a chat, longest members first',
      tag: 'participants',
      responses: { 200: { description: 'A page of participants.', schema: participantPageSchema } },
      problems: ['chat_not_found'],
    },
    handle: async ({ identity: { userId }, params, query }) =>
      json(await verbs.listParticipants({ userId, ...params, ...query })),
  }),
  route({
    method: 'POST',
    path: '/chats/:chatId/participants',
    needs: token(),
    transacts: true,
    params: chatParams,
    body: addParticipantsBody,
    operation: {
      operationId: 'addParticipants',
      summary: 'Add participants to a group',
      description:
        'For owners and admins. Who takes part already stays as they are. Who has left by themselves is not put back ' +
        'within a day by whoever had added them.',
      tag: 'participants',
      responses: { 200: { description: 'The named users as participants.', schema: participantPageSchema } },
      problems: [
        'not_owner',
        'chat_not_found',
        'user_not_found',
        'chat_is_direct',
        'recently_left',
        'chat_full',
      ],
    },
    async handle({ params: { chatId }, body: { userIds }, ...asked }) {
      const actorId = asked.identity.userId;
      await asked.limits.consume([{ limit: 'invite', key: actorId, points: userIds.length }]);
      const data = await verbs.addParticipants({ chatId, actorId, userIds, audit: audit(asked) });
      return json({ data, nextCursor: null });
    },
  }),
  route({
    method: 'PATCH',
    path: '/chats/:chatId/participants/:userId',
    needs: token(),
    transacts: true,
    params: participantParams,
    body: roleBody,
    operation: {
      operationId: 'setRole',
      summary: "Change a participant's role in a group",
      description: 'For owners. The last one does not step down.',
      tag: 'participants',
      responses: { 200: { description: 'The participant as they are now.', schema: participantSchema } },
      problems: ['not_owner', 'chat_not_found', 'user_not_found', 'chat_is_direct', 'last_owner'],
    },
    handle: async ({ params, body: { role }, ...asked }) =>
      json(await verbs.setRole({ actorId: asked.identity.userId, ...params, role, audit: audit(asked) })),
  }),
  route({
    method: 'DELETE',
    path: '/chats/:chatId/participants/:userId',
    needs: token(),
    transacts: true,
    params: participantParams,
    operation: {
      operationId: 'removeParticipant',
      summary: 'Remove a participant from a group, or leave it',
      description:
        'Owners remove anyone, admins members, everybody removes themselves. The last owner to leave passes the chat to ' +
        'its longest admin, or member where there is none.',
      tag: 'participants',
      responses: { 204: { description: 'They take part no more.' } },
      problems: ['not_owner', 'chat_not_found', 'user_not_found', 'chat_is_direct'],
    },
    async handle({ params, ...asked }) {
      await verbs.removeParticipant({ actorId: asked.identity.userId, ...params, audit: audit(asked) });
      return empty(204);
    },
  }),
];
