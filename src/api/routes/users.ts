import * as v from 'valibot';
import type { FindUsers } from '../../auth/find-users.ts';
import type { GetUser } from '../../auth/get-user.ts';
import type { UpdateMe } from '../../auth/update-me.ts';
import { json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { uuid } from '../../process/http/validate.ts';
import type { Needs } from '../needs.ts';
import { emailInQuery, updateMeBody, userSchema, usersSchema } from '../schemas/users.ts';

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
      description: 'What is not named stays as it is.',
      tag: 'users',
      responses: { 200: { description: 'Oneself', schema: userSchema } },
      problems: ['user_not_found'],
    },
    handle: async ({ identity: { userId }, body }) => json(await updateMe({ userId, ...body })),
  }),
  route({
    method: 'GET',
    path: '/users',
    needs: token(),
    query: v.strictObject({ email: emailInQuery }),
    operation: {
      operationId: 'findUsers',
      summary: 'Find a user by the whole email',
      tag: 'users',
      responses: { 200: { description: 'One user or none', schema: usersSchema } },
    },
    async handle({ identity, limits, query: { email } }) {
      const viewerId = identity.userId;
      await limits.consume([{ limit: 'lookup', key: viewerId }]);
      return json({ data: await findUsers({ email, viewerId }) });
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
