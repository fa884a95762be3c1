import { Hono } from 'hono';
import * as v from 'valibot';
import type { PutOutsideUser } from '../../auth/put-outside-user.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import { requireServiceToken } from '../middleware/require-service-token.ts';
import { describe, jsonResponse } from '../openapi.ts';
import { outsideUserBody, userSchema } from '../schemas/users.ts';
import { jsonBody, params } from '../validate.ts';

export interface OutsideUsersRoutesDependencies {
  putOutsideUser: PutOutsideUser;
  serviceToken: string;
  rateLimits: RateLimits;
}

const externalId = v.pipe(
  v.string(),
  v.maxLength(255, 'may have 255 characters'),
  v.metadata({ examples: ['auth0|5f7c8ec7c33c6c004bbafe82'] }),
);

/** For the operator's own backend, where `SERVICE_TOKEN` is set. */
export function outsideUsersRoutes({
  putOutsideUser,
  serviceToken,
  rateLimits,
}: OutsideUsersRoutesDependencies): Hono<ApiEnv> {
  return new Hono<ApiEnv>().put(
    '/users/external/:externalId',
    describe({
      operationId: 'putExternalUser',
      summary:
        'Make a user of the outside identity provider ahead of its first token, or bring it up to date',
      description:
        'What the body does not name stays as it is; a new user without a name gets one that says nothing.',
      tag: 'users',
      security: 'serviceToken',
      body: true,
      responses: {
        200: jsonResponse('The user, which was there before', userSchema),
        201: jsonResponse('The new user', userSchema),
      },
      problems: ['email_taken'],
    }),
    requireServiceToken(serviceToken, rateLimits),
    params(v.strictObject({ externalId })),
    jsonBody(outsideUserBody),
    async (c) => {
      const { user, created } = await putOutsideUser({ ...c.req.valid('param'), ...c.req.valid('json') });
      return c.json(user, created ? 201 : 200);
    },
  );
}
