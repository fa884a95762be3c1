import { Hono } from 'hono';
import * as v from 'valibot';
import { withDeadline } from '../../shared/deadline.ts';
import type { ApiEnv } from '../env.ts';
import { describe, jsonResponse } from '../openapi.ts';

/** Something the process stands on. */
export interface Dependency {
  name: string;
  /** Whether the process can do nothing of its job without it; Redis is no such thing. */
  required: boolean;
  /** False, a rejection, or no answer within a second: it is down. */
  check(): boolean | Promise<boolean>;
}

const answerWithinMs = 1_000;
/** Anybody may ask: whoever asks more often gets the last answer. */
const believedForMs = 1_000;

const aliveSchema = v.strictObject({ status: v.literal('ok') });
const readySchema = v.strictObject({
  status: v.picklist(['ready', 'degraded', 'unavailable']),
  dependencies: v.record(v.string(), v.picklist(['up', 'down'])),
});

/** The same two routes in every process: alive is being able to answer, ready is being able to do the job. */
export function healthRoutes(dependencies: readonly Dependency[]): Hono<ApiEnv> {
  const watched = dependencies.map((dependency) => ({ ...dependency, isUp: lookNowAndThen(dependency) }));
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
        summary: 'Whether the process can do its job, and what it stands on',
        tag: 'operation',
        security: 'none',
        responses: {
          200: jsonResponse('It can; `degraded` when something is down that it can do without', readySchema),
          503: jsonResponse('It cannot', readySchema),
        },
      }),
      async (c) => {
        const checked = await Promise.all(
          watched.map(async (dependency) => ({ ...dependency, up: await dependency.isUp() })),
        );
        const down = checked.filter(({ up }) => !up);
        const unavailable = down.some(({ required }) => required);
        const status = unavailable ? 'unavailable' : down.length > 0 ? 'degraded' : 'ready';
        const named = Object.fromEntries(checked.map(({ name, up }) => [name, up ? 'up' : 'down']));
        return c.json({ status, dependencies: named }, unavailable ? 503 : 200);
      },
    );
}

/** One look serves all who ask while it is under way and for a second from its beginning. */
function lookNowAndThen(dependency: Dependency): () => Promise<boolean> {
  let last = { begunAt: Number.NEGATIVE_INFINITY, up: Promise.resolve(false) };
  return () => {
    const now = performance.now();
    if (now - last.begunAt >= believedForMs) last = { begunAt: now, up: isUp(dependency) };
    return last.up;
  };
}

async function isUp({ check }: Dependency): Promise<boolean> {
  try {
    return await withDeadline(Promise.resolve(check()), answerWithinMs, () => new Error('no answer'));
  } catch {
    return false;
  }
}
