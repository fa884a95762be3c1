import type { Accounts } from '../auth/auth.ts';
import type { Admit, VerifyToken } from '../auth/authenticate.ts';
import { createFindUsers } from '../auth/find-users.ts';
import { createGetUser } from '../auth/get-user.ts';
import { createPutOutsideUser } from '../auth/put-outside-user.ts';
import { createUpdateMe } from '../auth/update-me.ts';
import { createAnnounce } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { healthRoutes } from '../process/http/health.ts';
import { createHttpApp, type HttpApp } from '../process/http/http-app.ts';
import type { Route } from '../process/http/route.ts';
import type { Readiness } from '../process/readiness.ts';
import type { AuthConfig } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import { createDocument } from './document.ts';
import { createNeeds, type Needs } from './needs.ts';
import { authRoutes } from './routes/auth.ts';
import { documentationRoutes } from './routes/documentation.ts';
import { outsideUsersRoutes } from './routes/outside-users.ts';
import { usersRoutes } from './routes/users.ts';

export interface ApiDependencies {
  config: Pick<AuthConfig, 'issuer' | 'serviceToken'> & { trustProxy: boolean; liveMax: number };
  database: Database;
  rateLimits: RateLimits;
  notifier: Notifier;
  verify: VerifyToken;
  admit: Admit;
  /** Undefined with an outside identity provider: then the password routes are not there. */
  accounts: Accounts | undefined;
  /** Beside the api's own. */
  chatRoutes(needs: Needs): Route[];
  allowedOrigin: AllowedOrigin;
  /** Whether every live process can load such changes. */
  everyoneLoads: (event: string) => boolean;
  readiness: Readiness;
  log: Logger;
  deadlineMs?: number;
}

/** The routes of the api. */
export function createApi(deps: ApiDependencies): HttpApp {
  const { config, database, rateLimits, notifier, accounts, chatRoutes, readiness, ...rest } = deps;
  const { issuer, serviceToken, trustProxy, liveMax } = config;
  const needs = createNeeds(deps);
  const userVerbs = {
    getUser: createGetUser(database),
    findUsers: createFindUsers(database),
    updateMe: createUpdateMe({
      ...{ database, rateLimits, liveMax },
      announce: createAnnounce(notifier, deps.log),
    }),
  };

  const routes: Route[] = [
    ...healthRoutes(readiness),
    ...documentationRoutes(needs.address, () => createDocument(routes)),
    ...(accounts ? authRoutes(needs, accounts) : []),
    ...(serviceToken === undefined
      ? []
      : outsideUsersRoutes(needs.serviceToken(serviceToken), createPutOutsideUser(database, issuer))),
    ...usersRoutes(needs, rateLimits, userVerbs),
    ...chatRoutes(needs),
  ];
  return createHttpApp({ routes, trustProxy, ...rest });
}
