import { toCaller } from '../../db/errors.ts';
import type { Problem } from '../../shared/contract.ts';
import { ChatError, errorTable } from '../../shared/errors.ts';
import type { Answer } from './answer.ts';
import type { LogFailure } from './failure-log.ts';

export const problemMediaType = 'application/problem+json';

/** Seconds, where a passing error does not say itself how long to wait. */
const defaultRetryAfterSeconds = 2;

/** The one boundary between errors and HTTP (RFC 9457). What is our own fault is told to the log here. */
export function problemOf(given: unknown, requestId: string, logFailure: LogFailure): Answer {
  const error = toChatError(given);
  const { status, title } = errorTable[error.code];
  const { code } = error;
  logFailure({ requestId, code, error: error.cause ?? given });
  const problem: Problem = {
    type: `urn:confab:error:${code}`,
    title,
    status,
    code,
    detail: error.message,
    requestId,
    ...(error.errors ? { errors: error.errors } : {}),
  };
  const headers: Record<string, string> = {
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...error.headers,
  };
  if (status === 429 || status === 503) {
    const seconds = Math.ceil(error.retryAfterSeconds ?? defaultRetryAfterSeconds);
    headers['Retry-After'] = String(Math.max(1, seconds));
  }
  return { status, body: JSON.stringify(problem), type: problemMediaType, headers };
}

function toChatError(error: unknown): ChatError {
  const known = toCaller(error);
  if (known instanceof ChatError) return known;
  // The client left in the middle of its body; nobody reads the answer.
  if (error instanceof DOMException && error.name === 'AbortError') return new ChatError('malformed_json');
  return new ChatError('internal_error');
}
