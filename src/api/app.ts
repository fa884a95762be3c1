import { Hono } from 'hono';
import type { Admit, VerifyToken } from '../auth/authenticate.ts';
import type { RateLimits } from '../shared/admission/admission.ts';
import type { Logger } from '../shared/log.ts';
import type { ApiEnv } from './env.ts';
import { createRequireIdentity, type RequireIdentity } from './middleware/require-identity.ts';
import { respondToError, respondToUnknownRoute } from './problem.ts';

export interface ApiDependencies {
  verify: VerifyToken;
  admit: Admit;
  rateLimits: RateLimits;
  /** Mounted beside the api's own; handed what guards every route with a token. */
  chatRoutes(requireIdentity: RequireIdentity): Hono<ApiEnv>;
  log: Logger;
}

export function createApi({ verify, admit, rateLimits, chatRoutes }: ApiDependencies): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  const requireIdentity = createRequireIdentity({ verify, admit, rateLimits });
  api.onError(respondToError);
  api.notFound(respondToUnknownRoute);
  api.route('/', chatRoutes(requireIdentity));
  return api;
}
