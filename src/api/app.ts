import type { Accounts } from '../auth/auth.ts';
import type { Admit, VerifyToken } from '../auth/authenticate.ts';
import { createFindUsers } from '../auth/find-users.ts';
import { createGetUser } from '../auth/get-user.ts';
import { createPutOutsideUsers } from '../auth/put-outside-users.ts';
import { createUpdateMe } from '../auth/update-me.ts';
import { createAnnounce } from '../changes/announce.ts';
import type { Database } from '../db/database.ts';
import { healthRoutes } from '../process/http/health.ts';
import { createHttpApp, type HttpApp } from '../process/http/http-app.ts';
import { type MetricsPage, metricsRoute } from '../process/http/metrics-route.ts';
import type { Route } from '../process/http/route.ts';
import type { Readiness } from '../process/readiness.ts';
import { type Audit, createAudit } from '../shared/audit.ts';
import type { AuthConfig } from '../shared/config.ts';
import type { Logger } from '../shared/log.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { RateLimits } from '../shared/ports/admission.ts';
import type { Notifier } from '../shared/ports/notifications.ts';
import { createDocument } from './document.ts';
import { createNeeds, type Needs } from './needs.ts';
import { authRoutes } from './routes/auth.ts';
import { documentationRoutes } from './routes/documentation.ts';
import { serviceRoutes } from './routes/service.ts';
import { usersRoutes } from './routes/users.ts';
import { webClientRoutes } from './routes/web-client.ts';
import { createServiceAccess } from './service-access.ts';

export interface ApiDependencies {
  config: Pick<AuthConfig, 'issuer' | 'sessionMaxTtlSeconds'> & {
    serviceTokens: readonly string[];
    trustProxy: boolean;
    liveMax: number;
    /** Whether the client for people is served. */
    webClient?: boolean | undefined;
    /** Whether it offers to make a second person, for whoever tries it. */
    secondPerson?: boolean | undefined;
  };
  database: Database;
  rateLimits: RateLimits;
  notifier: Notifier;
  verify: VerifyToken;
  admit: Admit;
  accounts: Accounts;
  /** Beside the api's own. */
  chatRoutes(needs: Needs, audit: Audit): Route[];
  allowedOrigin: AllowedOrigin;
  /** Whether every live process can load such changes. */
  everyoneLoads: (event: string) => boolean;
  readiness: Readiness;
  page?: MetricsPage;
  log: Logger;
  deadlineMs?: number;
}

/** The routes of the api. */
export function createApi(deps: ApiDependencies): HttpApp {
  const { config, database, rateLimits, notifier, accounts, chatRoutes, readiness, page, ...rest } = deps;
  const { issuer, serviceTokens, sessionMaxTtlSeconds, trustProxy, liveMax, webClient, secondPerson } =
    config;
  const audit = createAudit(deps.log);
  const needs = createNeeds({ ...deps, audit, serviceAccess: createServiceAccess(serviceTokens) });
  const userVerbs = {
    getUser: createGetUser(database),
    findUsers: createFindUsers(database),
    updateMe: createUpdateMe({
      ...{ database, liveMax },
      announce: createAnnounce(notifier, deps.log),
    }),
  };
  const serviceVerbs = { ...accounts, putOutsideUsers: createPutOutsideUsers(database, issuer) };

  const routes: Route[] = [
    ...healthRoutes(readiness),
    ...(page ? [metricsRoute(page)] : []),
    ...documentationRoutes(needs.address, () => createDocument(routes)),
    ...(webClient ? webClientRoutes(needs.address, secondPerson) : []),
    ...authRoutes(needs, accounts, audit),
    ...(serviceTokens.length === 0 ? [] : serviceRoutes(needs, serviceVerbs, sessionMaxTtlSeconds, audit)),
    ...usersRoutes(needs, userVerbs),
    ...chatRoutes(needs, audit),
  ];
  return createHttpApp({ routes, trustProxy, metrics: page?.metrics, ...rest });
}
