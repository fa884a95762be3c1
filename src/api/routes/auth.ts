import type { Accounts } from '../../auth/auth.ts';
import type { Logout } from '../../auth/logout.ts';
import { empty, json } from '../../process/http/answer.ts';
import { type Route, route } from '../../process/http/route.ts';
import { ChatError } from '../../shared/errors.ts';
import type { Needs } from '../needs.ts';
import { loginBody, refreshBody, registerBody, tokenPairSchema, userSchema } from '../schemas/users.ts';

/** Registration, sign-in and its end. With an outside identity provider there is the end of sessions that were opened here. */
export const authRoutes = (needs: Needs, { passwords, logout }: Accounts): Route[] => [
  ...(passwords ? passwordRoutes(needs, passwords) : []),
  ...(logout ? [logoutRoute(needs, logout)] : []),
];

const passwordRoutes = ({ readable }: Needs, accounts: NonNullable<Accounts['passwords']>): Route[] => [
  route({
    method: 'POST',
    path: '/auth/register',
    needs: readable,
    body: registerBody,
    operation: {
      operationId: 'register',
      summary: 'Register with email and password',
      tag: 'auth',
      responses: { 201: { description: 'The new user', schema: userSchema } },
      problems: ['email_taken'],
    },
    handle: async ({ body, address }) => json(await accounts.register({ ...body, address: address() }), 201),
  }),
  route({
    method: 'POST',
    path: '/auth/login',
    needs: readable,
    body: loginBody,
    counts: 'confab_logins_total',
    operation: {
      operationId: 'login',
      summary: 'Sign in: opens a session',
      tag: 'auth',
      responses: { 200: { description: 'The first tokens of the session', schema: tokenPairSchema } },
      problems: ['bad_credentials'],
    },
    handle: async ({ body, address }) => json(await accounts.login({ ...body, address: address() })),
  }),
  route({
    method: 'POST',
    path: '/auth/refresh',
    needs: readable,
    body: refreshBody,
    operation: {
      operationId: 'refresh',
      summary: 'Exchange a refresh token for a new pair',
      description:
        'A token used again within 10 s gets the same next token again, however many ask; later than that, or once that one ' +
        'has been exchanged, the session ends. `refresh_invalid`: the token is not known or has expired. `session_revoked`: its session has ended, or ends with ' +
        'this request. Both mean: sign in. Each refresh lengthens the session to JWT_REFRESH_TTL from now, until it is ' +
        'SESSION_MAX_TTL old.',
      tag: 'auth',
      responses: { 200: { description: 'The next tokens of the session', schema: tokenPairSchema } },
      problems: ['refresh_invalid', 'session_revoked'],
    },
    handle: async ({ body, address }) => json(await accounts.refresh({ ...body, address: address() })),
  }),
];

const logoutRoute = ({ token }: Needs, logout: Logout): Route =>
  route({
    method: 'POST',
    path: '/auth/logout',
    needs: token(),
    operation: {
      operationId: 'logout',
      summary: 'Sign out: the session’s tokens die, its sockets are closed',
      tag: 'auth',
      responses: { 204: { description: 'The session has ended' } },
    },
    async handle({ identity: { userId, sessionId } }) {
      // Our own tokens all have one.
      if (sessionId === undefined)
        throw new ChatError('token_invalid', 'There is no session of ours to end.');
      await logout({ userId, sessionId });
      return empty(204);
    },
  });
