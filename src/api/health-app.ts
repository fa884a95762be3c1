import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import type { ApiEnv } from './env.ts';
import { accessLog } from './middleware/access-log.ts';
import { securityHeaders } from './middleware/security.ts';
import { respondToError, respondToUnknownRoute } from './problem.ts';
import { type Dependency, healthRoutes } from './routes/health.ts';

/** `/healthz` and `/readyz` of a process that has no other routes. */
export function createHealthApp(dependencies: readonly Dependency[], log: Logger): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError(respondToError);
  app.notFound(respondToUnknownRoute);
  app.use(requestId({ limitLength: 128, generator: newId }));
  app.use(accessLog(log));
  app.use(securityHeaders());
  return app.route('/', healthRoutes(dependencies));
}
