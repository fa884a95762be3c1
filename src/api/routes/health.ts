import { Hono } from 'hono';
import * as v from 'valibot';
import type { Readiness } from '../../process/readiness.ts';
import { withDeadline } from '../../shared/deadline.ts';
import type { ApiEnv } from '../env.ts';
import { describe, jsonResponse } from '../openapi.ts';

/** Something the process stands on. */
export interface Dependency {
  name: string;
  /**
   * Whether it is this process's alone, so that another may do what this one can't. What all share is no reason to lead
   * requests elsewhere: with PostgreSQL away for 10 s a balancer that does so took every api out, and refused half of what
   * they would have answered.
   */
  own: boolean;
  /** False, a rejection, or no answer within a second: it is down. */
  check(): boolean | Promise<boolean>;
  /** What is wrong with it although it is up, in words for an operator. */
  problems?: (() => readonly string[]) | undefined;
  figures?: (() => Readonly<Record<string, number>> | undefined) | undefined;
}

const answerWithinMs = 1_000;
/** Anybody may ask: whoever asks more often gets the last answer. */
const believedForMs = 1_000;

const aliveSchema = v.strictObject({ status: v.literal('ok') });
const readySchema = v.strictObject({
  status: v.picklist(['ready', 'degraded', 'unavailable']),
  dependencies: v.record(v.string(), v.picklist(['up', 'down'])),
  problems: v.optional(v.array(v.string())),
  figures: v.optional(v.record(v.string(), v.record(v.string(), v.number()))),
});

/** The same two routes in every process: alive is being able to answer, ready is being no worse than the others of its kind. */
export function healthRoutes({ dependencies, leaving }: Readiness): Hono<ApiEnv> {
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
        const checked = await Promise.all(
          watched.map(async (dependency) => ({ ...dependency, up: await dependency.isUp() })),
        );
        const down = checked.filter(({ up }) => !up);
        const unavailable = leaving() || down.some(({ own }) => own);
        const problems = [...new Set(dependencies.flatMap(({ problems }) => problems?.() ?? []))];
        const degraded = down.length > 0 || problems.length > 0;
        const status = unavailable ? 'unavailable' : degraded ? 'degraded' : 'ready';
        const named = Object.fromEntries(checked.map(({ name, up }) => [name, up ? 'up' : 'down']));
        const figures = dependencies.flatMap(({ name, figures }) => {
          const known = figures?.();
          return known ? [[name, known] as const] : [];
        });
        return c.json(
          {
            status,
            dependencies: named,
            ...(problems.length > 0 ? { problems } : {}),
            ...(figures.length > 0 ? { figures: Object.fromEntries(figures) } : {}),
          },
          unavailable ? 503 : 200,
        );
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
