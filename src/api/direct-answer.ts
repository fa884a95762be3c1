import type { Server } from 'bun';
import type { Identity } from '../auth/authenticate.ts';
import { addressOf } from '../shared/client-address.ts';
import type { ErrorCode } from '../shared/contract.ts';
import { createDeadline } from '../shared/deadline.ts';
import type { Logger } from '../shared/log.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { Fact, FactAnswer } from '../shared/ports/admission.ts';
import {
  cacheControl,
  contentSecurityPolicy,
  securityHeaders,
  strictTransport,
} from '../shared/security-headers.ts';
import { createRequestLog, exposedHeaders, requestIdOf } from './answer.ts';
import type { LogFailure } from './failure-log.ts';
import { noAnswer } from './middleware/deadline.ts';
import { bearerToken, createEntry, type EntryDependencies } from './middleware/require-identity.ts';
import { problemOf } from './problem.ts';

/** @returns undefined for what the routes are to answer */
export type Direct = (request: Request, server: Server<unknown> | undefined) => Promise<Response> | undefined;

export interface DirectDependencies extends EntryDependencies {
  allowedOrigin: AllowedOrigin;
  trustProxy: boolean;
  deadlineMs: number;
  log: Logger;
  logFailure: LogFailure;
}

/** A request, and what stands for its address in the log. */
export interface DirectRequest {
  request: Request;
  server: Server<unknown> | undefined;
  route: string;
  chatId: string;
}

/** What the work of a request is handed. */
export interface DirectWork {
  requestId: string;
  /** @throws ChatError of that code when `work` takes longer than a request may */
  within<Result>(work: Promise<Result>, code: () => ErrorCode): Promise<Result>;
  /** {@link createEntry}'s, with the request's token and address. */
  enter(want?: (identity: Identity) => readonly Fact[]): Promise<{ identity: Identity; facts: FactAnswer[] }>;
}

/**
 * What every answer past Hono's router, context and layers has: an id, headers, problems in place of errors, and a line
 * in the log. The layers cost some 40 µs a request, where without them a send takes 58 (`bun run bench accept`) and a page of
 * history 102 (`bun run bench history`). Both ways use the same checks and answers, and the same tests are run on both.
 */
export type AnswerDirectly = (
  asked: DirectRequest,
  /** Its answer is made of `directHeaders`. */
  work: (given: DirectWork) => Promise<Response>,
) => Promise<Response>;

export function createAnswerDirectly(deps: DirectDependencies): AnswerDirectly {
  const { allowedOrigin, trustProxy, deadlineMs, log, logFailure } = deps;
  const enter = createEntry(deps);
  const deadline = createDeadline(deadlineMs);
  const within: DirectWork['within'] = (work, code) => deadline(work, () => noAnswer(code(), deadlineMs));
  const logRequest = createRequestLog(log);

  return async ({ request, server, route, chatId }, work) => {
    const startedAt = performance.now();
    const { headers } = request;
    const requestId = requestIdOf(headers.get('x-request-id'));
    let identity: Identity | undefined;

    let response: Response;
    try {
      response = await work({
        requestId,
        within,
        async enter(want) {
          const address = () => addressOf(request, server, trustProxy);
          const entered = await enter(bearerToken(headers.get('authorization')), address, want);
          identity = entered.identity;
          return entered;
        },
      });
    } catch (error) {
      const problem = problemOf(error, requestId, logFailure);
      response = new Response(problem.body, {
        status: problem.status,
        headers: { ...commonHeaders, ...problem.headers },
      });
    }
    const { status } = response;
    response.headers.set('X-Request-Id', requestId);
    const origin = headers.get('origin');
    if (origin && allowedOrigin(origin, request)) response.headers.set('Access-Control-Allow-Origin', origin);
    const strict = strictTransport(headers, trustProxy);
    if (strict !== undefined) response.headers.set('Strict-Transport-Security', strict);
    logRequest(status, () => ({
      ...{ requestId, method: request.method, route, chatId, userId: identity?.userId, status, startedAt },
    }));
    return response;
  };
}

const commonHeaders = {
  ...securityHeaders,
  'Cache-Control': cacheControl,
  'Content-Security-Policy': contentSecurityPolicy,
  'Access-Control-Expose-Headers': exposedHeaders,
  Vary: 'Origin',
};

/** Of an answer that is JSON. Copied as a whole, which costs a third of setting each. */
export const directHeaders = new Headers({ ...commonHeaders, 'Content-Type': 'application/json' });
