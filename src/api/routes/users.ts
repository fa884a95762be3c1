import { Hono } from 'hono';
import * as v from 'valibot';
import type { FindUsers } from '../../auth/find-users.ts';
import type { GetUser } from '../../auth/get-user.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, jsonResponse } from '../openapi.ts';
import { emailInQuery, userSchema, usersSchema } from '../schemas/users.ts';
import { params, query, uuid } from '../validate.ts';

export interface UsersRoutesDependencies {
  getUser: GetUser;
  findUsers: FindUsers;
  rateLimits: RateLimits;
  requireIdentity: RequireIdentity;
}

export function usersRoutes({
  getUser,
  findUsers,
  rateLimits,
  requireIdentity,
}: UsersRoutesDependencies): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      '/auth/me',
      describe({
        operationId: 'getMe',
        summary: 'Who am I',
        tag: 'auth',
        security: 'accessToken',
        responses: { 200: jsonResponse('Oneself, with email and externalId', userSchema) },
        problems: ['user_not_found'],
      }),
      requireIdentity(),
      async (c) => {
        const { userId } = c.get('identity');
        return c.json(await getUser({ userId, viewerId: userId }));
      },
    )
    .get(
      '/users',
      describe({
        operationId: 'findUsers',
        summary: 'Find a user by the whole email',
        tag: 'users',
        security: 'accessToken',
        responses: { 200: jsonResponse('One user or none', usersSchema) },
        problems: ['validation_failed'],
      }),
      requireIdentity(),
      query(v.strictObject({ email: emailInQuery })),
      async (c) => {
        const viewerId = c.get('identity').userId;
        await rateLimits.consume([{ limit: 'lookup', key: viewerId }]);
        return c.json({ data: await findUsers({ email: c.req.valid('query').email, viewerId }) });
      },
    )
    .get(
      '/users/:userId',
      describe({
        operationId: 'getUser',
        summary: 'A user',
        tag: 'users',
        security: 'accessToken',
        responses: { 200: jsonResponse('The user; email and externalId to oneself alone', userSchema) },
        problems: ['user_not_found', 'validation_failed'],
      }),
      requireIdentity(),
      params(v.strictObject({ userId: uuid })),
      async (c) => {
        const viewerId = c.get('identity').userId;
        return c.json(await getUser({ userId: c.req.valid('param').userId, viewerId }));
      },
    );
}
