import type { MiddlewareHandler } from 'hono';
import { withDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';
import { readBody } from './read-body.ts';

/**
 * No request hangs longer, whatever it waits for. Redis, the broker and the passwords have shorter deadlines of their own:
 * what remains is PostgreSQL, unless the route says otherwise (`deadlineCode`). The work itself goes on: the answer means
 * that its end is not known. The body is read before: a slow client is not a slow database.
 */
export function requestDeadline(ms: number): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await readBody(c);
    const late = () =>
      new ChatError(c.get('deadlineCode') ?? 'database_unavailable', undefined, {
        cause: new Error(`no answer within ${ms} ms`),
        retryAfterSeconds: 2,
      });
    await withDeadline(next(), ms, late);
  };
}
