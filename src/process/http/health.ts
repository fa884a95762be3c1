import * as v from 'valibot';
import type { Logger } from '../../shared/log.ts';
import { createReadinessReport, type Readiness } from '../readiness.ts';
import { json } from './answer.ts';
import { createHttpApp, type HttpApp } from './http-app.ts';
import { type MetricsPage, metricsRoute } from './metrics-route.ts';
import { type Route, route } from './route.ts';

const aliveSchema = v.strictObject({ status: v.literal('ok') });
const readySchema = v.strictObject({
  status: v.picklist(['ready', 'degraded', 'unavailable']),
  dependencies: v.record(v.string(), v.picklist(['up', 'down'])),
  problems: v.optional(v.array(v.string())),
  figures: v.optional(v.record(v.string(), v.record(v.string(), v.number()))),
});

/** The same two routes in every process: alive is being able to answer, ready is being no worse than the others of its kind. */
export function healthRoutes(readiness: Readiness): Route[] {
  const report = createReadinessReport(readiness);
  return [
    route({
      method: 'GET',
      path: '/healthz',
      anyQuery: true,
      operation: {
        operationId: 'getHealth',
        summary: 'Whether the process lives',
        tag: 'operation',
        responses: { 200: { description: 'It does', schema: aliveSchema } },
      },
      handle: () => json({ status: 'ok' }),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      anyQuery: true,
      operation: {
        operationId: 'getReadiness',
        summary: 'Whether requests should be led here, and what the process stands on',
        tag: 'operation',
        responses: {
          200: {
            description: 'They should; `degraded` when something is down that all stand on, or has problems',
            schema: readySchema,
          },
          503: {
            description: 'They should not: it is leaving, or can’t do its job where another could',
            schema: readySchema,
          },
        },
      },
      async handle() {
        const found = await report();
        return json(found, found.status === 'unavailable' ? 503 : 200);
      },
    }),
  ];
}

/** Of a process that has no other routes. */
export const createHealthApp = (readiness: Readiness, log: Logger, page?: MetricsPage): HttpApp =>
  createHttpApp({
    routes: [...healthRoutes(readiness), ...(page ? [metricsRoute(page)] : [])],
    ...{ log, metrics: page?.metrics },
  });
