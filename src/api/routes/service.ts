import * as v from 'valibot';
import type { Activation } from '../../auth/activation.ts';
import type { MakeToken } from '../../auth/make-token.ts';
import type { PutOutsideUsers } from '../../auth/put-outside-users.ts';
import { empty, json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { uuid } from '../../process/http/validate.ts';
import type { Audit } from '../../shared/audit.ts';
import type { Needs } from '../needs.ts';
import {
  externalId,
  madeTokenSchema,
  makeTokenBody,
  outsideUserBody,
  outsideUsersBody,
  userSchema,
  usersSchema,
} from '../schemas/users.ts';

export interface ServiceVerbs {
  putOutsideUsers: PutOutsideUsers;
  activation: Activation;
  /** Undefined where no tokens are of ours. */
  makeToken: MakeToken | undefined;
}

/** A thousand users with all that may be said of them. */
const mostUsersBytes = 8 * 1024 * 1024;
const userParams = v.strictObject({ userId: uuid });

/**
 * For the host's own backend, where `SERVICE_TOKEN` is set.
 * @param longestTokenSeconds no token outlives a session
 */
export const serviceRoutes = (
  { service }: Needs,
  { putOutsideUsers, activation, makeToken }: ServiceVerbs,
  longestTokenSeconds: number,
  audit: Audit,
): Route[] => [
  route({
    method: 'PUT',
    path: '/users/external/:externalId',
    needs: service,
    transacts: true,
    params: v.strictObject({ externalId }),
    body: outsideUserBody,
    operation: {
      operationId: 'putExternalUser',
      summary: 'Make a user of your own ahead of their first token, or bring them up to date',
      description:
        'What the body does not name stays as it is; a new user without a name gets one that says nothing.',
      tag: 'service',
      responses: {
        200: { description: 'The user, who was there before', schema: userSchema },
        201: { description: 'The new user', schema: userSchema },
      },
      problems: ['email_taken'],
    },
    async handle({ params, body }) {
      const [put] = await putOutsideUsers([{ ...params, ...body }]);
      return json(put?.user, put?.created ? 201 : 200);
    },
  }),
  route({
    method: 'PUT',
    path: '/users/external',
    needs: service,
    transacts: true,
    body: outsideUsersBody,
    mostBodyBytes: (request) => (service.knows(request) ? mostUsersBytes : undefined),
    operation: {
      operationId: 'putExternalUsers',
      summary: 'The same for up to 1,000 users: all of them, or none',
      tag: 'service',
      responses: { 200: { description: 'The users, in the order given', schema: usersSchema } },
      problems: ['email_taken'],
    },
    handle: async ({ body }) => json({ data: (await putOutsideUsers(body.users)).map(({ user }) => user) }),
  }),
  ...(makeToken ? [makeTokenRoute(service, makeToken, longestTokenSeconds, audit)] : []),
  route({
    method: 'POST',
    path: '/users/:userId/deactivate',
    needs: service,
    params: userParams,
    makes: ['deactivated users'],
    operation: {
      operationId: 'deactivateUser',
      summary: 'Shut a user out: sessions end, sockets are closed, no token is good any more',
      description: 'What they wrote stays, and they stay in their chats. Safe to repeat.',
      tag: 'service',
      responses: { 204: { description: 'The user is deactivated' } },
      problems: ['user_not_found'],
    },
    async handle({ params, ...asked }) {
      await activation.deactivate(params.userId, audit(asked));
      return empty(204);
    },
  }),
  route({
    method: 'POST',
    path: '/users/:userId/reactivate',
    needs: service,
    params: userParams,
    operation: {
      operationId: 'reactivateUser',
      summary: 'Let a user in again: by a new session, or by their provider’s tokens',
      tag: 'service',
      responses: { 204: { description: 'The user is active' } },
      problems: ['user_not_found'],
    },
    async handle({ params, ...asked }) {
      await activation.reactivate(params.userId, audit(asked));
      return empty(204);
    },
  }),
];

const makeTokenRoute = (
  needs: Needs['service'],
  makeToken: MakeToken,
  longestSeconds: number,
  audit: Audit,
): Route =>
  route({
    method: 'POST',
    path: '/auth/tokens',
    needs,
    body: makeTokenBody(longestSeconds),
    makes: ['tokens made here'],
    operation: {
      operationId: 'makeToken',
      summary: 'An access token for one of your users',
      description:
        'For REST and sockets, in a session of its own, which `POST /auth/logout` ends before its time. It is not refreshed: make ' +
        'another. `externalId` is that of `PUT /users/external`.',
      tag: 'service',
      responses: { 200: { description: 'The token', schema: madeTokenSchema } },
      problems: ['user_not_found', 'user_deactivated'],
    },
    handle: async ({ body, ...asked }) => json(await makeToken(body, audit(asked))),
  });
