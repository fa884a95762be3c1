import type { MiddlewareHandler } from 'hono';
import type { ErrorCode } from '../../shared/contract.ts';
import { asRequest } from '../../shared/current-request.ts';
import { createDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';
import { readBody } from './read-body.ts';

/**
 * No request hangs longer, whatever it waits for. Redis, the broker and the passwords have shorter deadlines of their own:
 * what remains is PostgreSQL, unless the route says otherwise (`deadlineCode`). The work itself goes on, but begins or commits no
 * transaction any more: the answer means that its end is not known. The body is read before: a slow client is not a slow database.
 */
export function requestDeadline(ms: number): MiddlewareHandler<ApiEnv> {
  const within = createDeadline(ms);
  return async (c, next) => {
    await readBody(c);
    await asRequest((giveUp) =>
      within(next(), () => {
        giveUp();
        return noAnswer(c.get('deadlineCode') ?? 'database_unavailable', ms);
      }),
    );
  };
}

export const noAnswer = (code: ErrorCode, ms: number): ChatError =>
  new ChatError(code, undefined, { cause: new Error(`no answer within ${ms} ms`), retryAfterSeconds: 2 });
