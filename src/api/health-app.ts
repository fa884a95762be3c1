import { Hono } from 'hono';
import type { Logger } from '../shared/log.ts';
import type { ApiEnv } from './env.ts';
import { aroundRequest } from './middleware/around-request.ts';
import { respondToError, respondToUnknownRoute } from './problem.ts';
import type { Readiness } from './readiness.ts';
import { healthRoutes } from './routes/health.ts';

/** `/healthz` and `/readyz` of a process that has no other routes. */
export function createHealthApp(readiness: Readiness, log: Logger): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError(respondToError);
  app.notFound(respondToUnknownRoute);
  app.use(aroundRequest(log, () => false));
  return app.route('/', healthRoutes(readiness));
}
