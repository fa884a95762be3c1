import { ChatError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import { loggable } from '../shared/loggable.ts';
import { responseOf } from './http/answer.ts';
import { problemOf } from './http/problem.ts';

/** The answer to what nobody caught, which says no more of it than its id in the log. */
export function unexpectedError(cause: unknown, log: Logger | undefined): Response {
  const requestId = newId();
  const problem = problemOf(
    new ChatError('internal_error', undefined, { cause }),
    requestId,
    ({ code, error }) => log?.error({ requestId, code, err: loggable(error) }, 'request failed'),
  );
  const response = responseOf(problem, false);
  response.headers.set('X-Request-Id', requestId);
  return response;
}
