import type { Problem } from '../shared/contract.ts';
import { errorTable } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import type { Logger } from '../shared/log.ts';
import { loggable } from '../shared/loggable.ts';
import { bareHeaders } from '../shared/security-headers.ts';

/** The answer to what nobody caught, which says no more of it than its id in the log. */
export function unexpectedError(error: unknown, log: Logger | undefined): Response {
  const requestId = newId();
  const code = 'internal_error';
  log?.error({ requestId, code, err: loggable(error) }, 'request failed');
  const { status, title } = errorTable[code];
  const type = `urn:confab:error:${code}` as const;
  const problem: Problem = { type, title, status, code, detail: title, requestId };
  const headers = { ...bareHeaders, 'Content-Type': 'application/problem+json', 'X-Request-Id': requestId };
  return new Response(JSON.stringify(problem), { status, headers });
}
