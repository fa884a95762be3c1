import { Hono } from 'hono';
import type { Accounts } from '../auth/auth.ts';
import type { Admit, VerifyToken } from '../auth/authenticate.ts';
import { createFindUsers } from '../auth/find-users.ts';
import { createGetUser } from '../auth/get-user.ts';
import { createPutOutsideUser } from '../auth/put-outside-user.ts';
import { createGetHistory } from '../chat/get-history.ts';
import type { SendMessage } from '../chat/send-message.ts';
import type { Database } from '../db/database.ts';
import type { Readiness } from '../process/readiness.ts';
import type { AuthConfig } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import { createAnswerDirectly } from './direct-answer.ts';
import { createDirectHistory } from './direct-history.ts';
import { createDirectSend } from './direct-send.ts';
import { createDocument } from './document.ts';
import type { ApiEnv } from './env.ts';
import { createFailureLog } from './failure-log.ts';
import { clientAddress } from './middleware/address.ts';
import { aroundRequest } from './middleware/around-request.ts';
import { requestDeadline } from './middleware/deadline.ts';
import { knownQuery } from './middleware/known-query.ts';
import { preflight } from './middleware/preflight.ts';
import { readableHost } from './middleware/readable-host.ts';
import { createRequireIdentity, type RequireIdentity } from './middleware/require-identity.ts';
import { respondToError } from './problem.ts';
import { requestPath } from './request-path.ts';
import { authRoutes } from './routes/auth.ts';
import { documentationRoutes } from './routes/documentation.ts';
import { healthRoutes } from './routes/health.ts';
import { outsideUsersRoutes } from './routes/outside-users.ts';
import { usersRoutes } from './routes/users.ts';
import { createUnknownRoute } from './unknown-route.ts';

export interface ApiDependencies {
  config: Pick<AuthConfig, 'issuer' | 'serviceToken'> & { trustProxy: boolean };
  database: Database;
  rateLimits: RateLimits;
  verify: VerifyToken;
  admit: Admit;
  /** Undefined with an outside identity provider: then the password routes are not there. */
  accounts: Accounts | undefined;
  /** Mounted beside the api's own; handed what guards every route with a token. */
  chatRoutes(requireIdentity: RequireIdentity): Hono<ApiEnv>;
  /** The verb of its busiest route, which has a way of its own. */
  sendMessage: SendMessage;
  allowedOrigin: AllowedOrigin;
  readiness: Readiness;
  log: Logger;
  /** No request lasts longer. */
  deadlineMs?: number;
}

/** To be served as `api.fetch(request, { server })`: the server knows the client's address. */
export function createApi({
  config,
  database,
  rateLimits,
  verify,
  admit,
  accounts,
  chatRoutes,
  sendMessage,
  allowedOrigin,
  readiness,
  log,
  deadlineMs = 4_800,
}: ApiDependencies): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>({ getPath: requestPath });
  const logFailure = createFailureLog(log);
  const requireIdentity = createRequireIdentity({ verify, admit, rateLimits });
  const { issuer, serviceToken, trustProxy } = config;

  api.onError(respondToError);
  api.notFound(createUnknownRoute(api));
  api.use(aroundRequest({ log, logFailure, allowedOrigin, trustProxy }));
  api.use(readableHost);
  api.use(preflight(allowedOrigin));
  api.use(clientAddress(trustProxy, log));
  api.use(requestDeadline(deadlineMs));

  api.route('/', healthRoutes(readiness));
  api.route('/', documentationRoutes({ document: () => createDocument(api), rateLimits }));
  api.use(knownQuery);

  if (accounts) api.route('/', authRoutes({ accounts, rateLimits, requireIdentity }));
  if (serviceToken !== undefined) {
    const putOutsideUser = createPutOutsideUser(database, issuer);
    api.route('/', outsideUsersRoutes({ putOutsideUser, serviceToken, rateLimits }));
  }
  const getUser = createGetUser(database);
  const findUsers = createFindUsers(database);
  api.route('/', usersRoutes({ getUser, findUsers, rateLimits, requireIdentity }));
  api.route('/', chatRoutes(requireIdentity));

  const answer = createAnswerDirectly({
    ...{ verify, admit, rateLimits, allowedOrigin, trustProxy, deadlineMs, log, logFailure },
  });
  const sendDirectly = createDirectSend({ answer, sendMessage, log });
  const readDirectly = createDirectHistory({ answer, getHistory: createGetHistory({ database }) });
  const byRoute = api.fetch;
  api.fetch = (request, bindings: ApiEnv['Bindings'] = {}, context) =>
    sendDirectly(request, bindings.server) ??
    readDirectly(request, bindings.server) ??
    byRoute(request, bindings, context);
  return api;
}
