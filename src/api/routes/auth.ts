import { Hono, type MiddlewareHandler } from 'hono';
import type { Accounts } from '../../auth/auth.ts';
import { networkOf } from '../../shared/client-address.ts';
import type { ErrorCode } from '../../shared/contract.ts';
import { ChatError } from '../../shared/errors.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
import type { ApiEnv } from '../env.ts';
import type { RequireIdentity } from '../middleware/require-identity.ts';
import { describe, emptyResponse, jsonResponse } from '../openapi.ts';
import { loginBody, refreshBody, registerBody, tokenPairSchema, userSchema } from '../schemas/users.ts';
import { jsonBody } from '../validate.ts';

export interface AuthRoutesDependencies {
  accounts: Accounts;
  rateLimits: RateLimits;
  requireIdentity: RequireIdentity;
}

const unreadable: ReadonlySet<ErrorCode> = new Set([
  'malformed_json',
  'unsupported_media_type',
  'validation_failed',
]);

/** Registration, sign-in and its end. With an outside identity provider they are not mounted. */
export function authRoutes({ accounts, rateLimits, requireIdentity }: AuthRoutesDependencies): Hono<ApiEnv> {
  /** What could be read is counted by what it turns out to be. */
  const countUnreadable: MiddlewareHandler<ApiEnv> = async (c, next) => {
    await next();
    if (!(c.error instanceof ChatError) || !unreadable.has(c.error.code)) return;
    const address = c.get('address');
    await rateLimits.consume([
      { limit: 'address', key: address },
      { limit: 'login', key: `unreadable:${networkOf(address)}` },
    ]);
  };

  return new Hono<ApiEnv>()
    .post(
      '/auth/register',
      describe({
        operationId: 'register',
        summary: 'Register with email and password',
        tag: 'auth',
        security: 'none',
        body: true,
        responses: { 201: jsonResponse('The new user', userSchema) },
        problems: ['email_taken'],
      }),
      countUnreadable,
      jsonBody(registerBody),
      async (c) =>
        c.json(await accounts.register({ ...c.req.valid('json'), address: c.get('address') }), 201),
    )
    .post(
      '/auth/login',
      describe({
        operationId: 'login',
        summary: 'Sign in: opens a session',
        tag: 'auth',
        security: 'none',
        body: true,
        responses: { 200: jsonResponse('The first tokens of the session', tokenPairSchema) },
        problems: ['bad_credentials'],
      }),
      countUnreadable,
      jsonBody(loginBody),
      async (c) => c.json(await accounts.login({ ...c.req.valid('json'), address: c.get('address') })),
    )
    .post(
      '/auth/refresh',
      describe({
        operationId: 'refresh',
        summary: 'Exchange a refresh token for a new pair',
        description:
          'A token used again within 10 s gets the same next token again, however many ask; later than that, or once that one ' +
          'has been exchanged, the session ends. `refresh_invalid`: the token is not known or has expired. `session_revoked`: its session has ended, or ends with ' +
          'this request. Both mean: sign in. Each refresh lengthens the session to JWT_REFRESH_TTL from now, until it is ' +
          'SESSION_MAX_TTL old.',
        tag: 'auth',
        security: 'none',
        body: true,
        responses: { 200: jsonResponse('The next tokens of the session', tokenPairSchema) },
        problems: ['refresh_invalid', 'session_revoked'],
      }),
      countUnreadable,
      jsonBody(refreshBody),
      async (c) => c.json(await accounts.refresh({ ...c.req.valid('json'), address: c.get('address') })),
    )
    .post(
      '/auth/logout',
      describe({
        operationId: 'logout',
        summary: 'Sign out: the session’s tokens die, its sockets are closed',
        tag: 'auth',
        security: 'accessToken',
        responses: { 204: emptyResponse('The session has ended') },
      }),
      requireIdentity(),
      async (c) => {
        const { userId, sessionId } = c.get('identity');
        // Our own tokens all have one.
        if (sessionId === undefined) throw new ChatError('token_invalid');
        await accounts.logout({ userId, sessionId });
        return c.body(null, 204);
      },
    );
}
