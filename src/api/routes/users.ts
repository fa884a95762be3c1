import * as v from 'valibot';
import type { FindUsers } from '../../auth/find-users.ts';
import type { GetUser } from '../../auth/get-user.ts';
import type { UpdateMe } from '../../auth/update-me.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { uuid } from '../../process/http/validate.ts';
import type { Needs } from '../needs.ts';
import { findUsersQuery, updateMeBody, userSchema, usersSchema } from '../schemas/users.ts';

export interface UserVerbs {
  getUser: GetUser;
  findUsers: FindUsers;
  updateMe: UpdateMe;
}

export const usersRoutes = ({ token }: Needs, { getUser, findUsers, updateMe }: UserVerbs): Route[] => [
  route({
    method: 'GET',
    path: '/auth/me',
    needs: token(),
    operation: {
      operationId: 'getMe',
      summary: 'Who am I',
      tag: 'auth',
      responses: { 200: { description: 'Oneself, with email and externalId', schema: userSchema } },
      problems: ['user_not_found'],
    },
    handle: async ({ identity: { userId } }) => json(await getUser({ userId, viewerId: userId })),
  }),
  route({
    method: 'PATCH',
    path: '/users/me',
    needs: token(),
    body: updateMeBody,
    operation: {
      operationId: 'updateMe',
      summary: 'Change what you say of yourself',
      description:
        'What is not named stays as it is; null takes it away. What others see of you counts for `RATE_LIMIT_LOOKUP`.',
      tag: 'users',
      responses: { 200: { description: 'Oneself', schema: userSchema } },
      problems: ['user_not_found'],
    },
    handle: async ({ identity: { userId }, limits, body }) =>
      json(await updateMe({ userId, limits, ...body })),
  }),
  route({
    method: 'GET',
    path: '/users',
    needs: token(),
    query: findUsersQuery,
    operation: {
      operationId: 'findUsers',
      summary: 'Find a user by the whole email, or users by their ids',
      description: 'By ids those alone who are, or were, in a chat with you: who has left still has a name.',
      tag: 'users',
      responses: {
        200: {
          description: 'By email one user or none; by ids those of them that there are',
          schema: usersSchema,
        },
      },
    },
    async handle({ identity, limits, query: { email, userIds } }) {
      const viewerId = identity.userId;
      if (email === undefined)
        return json({ data: await findUsers.byIds({ userIds: userIds ?? [], viewerId }) });
      await limits.consume([{ limit: 'lookup', key: viewerId }]);
      return json({ data: await findUsers.byEmail({ email, viewerId }) });
    },
  }),
  route({
    method: 'GET',
    path: '/users/:userId',
    needs: token(),
    params: v.strictObject({ userId: uuid }),
    operation: {
      operationId: 'getUser',
      summary: 'A user',
      tag: 'users',
      responses: {
        200: { description: 'The user; email and externalId to oneself alone', schema: userSchema },
      },
      problems: ['user_not_found'],
    },
    handle: async ({ identity, params }) => json(await getUser({ ...params, viewerId: identity.userId })),
  }),
];
