import { Hono } from 'hono';
import * as v from 'valibot';
import { createReadinessReport, type Readiness } from '../../process/readiness.ts';
import type { ApiEnv } from '../env.ts';
import { describe, jsonResponse } from '../openapi.ts';

const aliveSchema = v.strictObject({ status: v.literal('ok') });
const readySchema = v.strictObject({
  status: v.picklist(['ready', 'degraded', 'unavailable']),
  dependencies: v.record(v.string(), v.picklist(['up', 'down'])),
  problems: v.optional(v.array(v.string())),
  figures: v.optional(v.record(v.string(), v.record(v.string(), v.number()))),
});

/** The same two routes in every process: alive is being able to answer, ready is being no worse than the others of its kind. */
export function healthRoutes(readiness: Readiness): Hono<ApiEnv> {
  const report = createReadinessReport(readiness);
  return new Hono<ApiEnv>()
    .get(
      '/healthz',
      describe({
        operationId: 'getHealth',
        summary: 'Whether the process lives',
        tag: 'operation',
        security: 'none',
        responses: { 200: jsonResponse('It does', aliveSchema) },
      }),
      (c) => c.json({ status: 'ok' }),
    )
    .get(
      '/readyz',
      describe({
        operationId: 'getReadiness',
        summary: 'Whether requests should be led here, and what the process stands on',
        tag: 'operation',
        security: 'none',
        responses: {
          200: jsonResponse(
            'They should; `degraded` when something is down that all stand on, or has problems',
            readySchema,
          ),
          503: jsonResponse(
            'They should not: it is leaving, or can’t do its job where another could',
            readySchema,
          ),
        },
      }),
      async (c) => {
        const answer = await report();
        return c.json(answer, answer.status === 'unavailable' ? 503 : 200);
      },
    );
}
