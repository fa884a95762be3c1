import * as v from 'valibot';
import type { PutOutsideUser } from '../../auth/put-outside-user.ts';
import { json } from '../../process/http/answer.ts';
import { type Need, type Route, route } from '../../process/http/route.ts';
import { outsideUserBody, userSchema } from '../schemas/users.ts';

const externalId = v.pipe(
  v.string(),
  v.maxLength(255, 'may have 255 characters'),
  v.metadata({ examples: ['auth0|5f7c8ec7c33c6c004bbafe82'] }),
);

/** For the operator's own backend, where `SERVICE_TOKEN` is set. */
export const outsideUsersRoutes = (needs: Need, putOutsideUser: PutOutsideUser): Route[] => [
  route({
    method: 'PUT',
    path: '/users/external/:externalId',
    needs,
    params: v.strictObject({ externalId }),
    body: outsideUserBody,
    operation: {
      operationId: 'putExternalUser',
      summary:
        'Make a user of the outside identity provider ahead of its first token, or bring it up to date',
      description:
        'What the body does not name stays as it is; a new user without a name gets one that says nothing.',
      tag: 'users',
      responses: {
        200: { description: 'The user, which was there before', schema: userSchema },
        201: { description: 'The new user', schema: userSchema },
      },
      problems: ['email_taken'],
    },
    async handle({ params, body }) {
      const { user, created } = await putOutsideUser({ ...params, ...body });
      return json(user, created ? 201 : 200);
    },
  }),
];
