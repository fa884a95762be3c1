import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { databaseUnavailable, isDatabaseUnavailable } from '../db/errors.ts';
import type { Problem } from '../shared/contract.ts';
import { ChatError, errorTable } from '../shared/errors.ts';
import { loggable } from '../shared/loggable.ts';
import type { ApiEnv } from './env.ts';

export const problemMediaType = 'application/problem+json';

/** Seconds, where a passing error does not say itself how long to wait. */
const defaultRetryAfterSeconds = 2;

/** The one boundary between errors and HTTP. */
export function respondToError(error: unknown, c: Context<ApiEnv>): Response {
  const known = toChatError(error);
  const { status } = errorTable[known.code];
  if (status >= 500) {
    const requestId = c.get('requestId');
    c.get('log').error({ requestId, err: loggable(error), code: known.code }, 'request failed');
  }
  return problemResponse(c, known);
}

export const respondToUnknownRoute = (c: Context<ApiEnv>): Response =>
  problemResponse(c, new ChatError('route_not_found'));

function toChatError(error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  if (isDatabaseUnavailable(error)) return databaseUnavailable(error);
  // Thrown by Hono itself: its message may quote the request.
  if (error instanceof HTTPException && error.status === 413) return new ChatError('body_too_large');
  return new ChatError('internal_error');
}

function problemResponse(c: Context<ApiEnv>, error: ChatError): Response {
  const { status, title } = errorTable[error.code];
  const problem: Problem = {
    type: `urn:confab:error:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    requestId: c.get('requestId'),
    ...(error.errors ? { errors: error.errors } : {}),
  };
  c.header('Content-Type', problemMediaType);
  c.header('Cache-Control', 'no-store');
  if (status === 401) c.header('WWW-Authenticate', 'Bearer');
  if (status === 429 || status === 503) {
    c.header(
      'Retry-After',
      String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? defaultRetryAfterSeconds))),
    );
  }
  return c.body(JSON.stringify(problem), status as 500);
}
