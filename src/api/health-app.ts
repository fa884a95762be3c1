import { Hono } from 'hono';
import type { Readiness } from '../process/readiness.ts';
import type { Logger } from '../shared/log.ts';
import type { ApiEnv } from './env.ts';
import { createFailureLog } from './failure-log.ts';
import { aroundRequest } from './middleware/around-request.ts';
import { respondToError } from './problem.ts';
import { requestPath } from './request-path.ts';
import { healthRoutes } from './routes/health.ts';
import { createUnknownRoute } from './unknown-route.ts';

/** `/healthz` and `/readyz` of a process that has no other routes. */
export function createHealthApp(readiness: Readiness, log: Logger): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>({ getPath: requestPath });
  app.onError(respondToError);
  app.notFound(createUnknownRoute(app));
  const logFailure = createFailureLog(log);
  app.use(aroundRequest({ log, logFailure, allowedOrigin: () => false, trustProxy: false }));
  return app.route('/', healthRoutes(readiness));
}
