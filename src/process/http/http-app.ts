import type { Server } from 'bun';
import { type Context, Hono } from 'hono';
import { addressOf } from '../../shared/client-address.ts';
import type { ErrorCode } from '../../shared/contract.ts';
import { asRequest } from '../../shared/current-request.ts';
import { createDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import { createForwardedWarning } from '../../shared/forwarded-warning.ts';
import type { Logger } from '../../shared/log.ts';
import type { AllowedOrigin } from '../../shared/origins.ts';
import { strictTransport } from '../../shared/security-headers.ts';
import { type Answer, responseOf } from './answer.ts';
import { createFailureLog } from './failure-log.ts';
import { problemOf } from './problem.ts';
import { readBody } from './read-body.ts';
import { createRequestLog, requestIdOf } from './request-log.ts';
import { assertHost, requestPath } from './request-path.ts';
import type { Asked, EnteredAs, Route } from './route.ts';
import { createUnknownRoute } from './unknown-route.ts';
import { assertKnown, parse, parseJson, parseQuery } from './validate.ts';

export interface HttpAppOptions {
  routes: readonly Route[];
  log: Logger;
  /** Whose pages may read the answers; nobody's unless given. */
  allowedOrigin?: AllowedOrigin;
  /** Whether a proxy of ours says the client's address and scheme. */
  trustProxy?: boolean;
  /** No request lasts longer; a slow client's body is no part of it. */
  deadlineMs?: number;
}

interface HttpEnv {
  Bindings: { server?: Server<unknown> };
}

/** To be served as `app.fetch(request, { server })`: the server knows the client's address. */
export type HttpApp = Hono<HttpEnv>;

/**
 * Everything that a request is put through, whatever its route, is `answer` below. Of Hono there is the router alone: 0.3 µs a
 * request, where layers took 40 ([why](../../../docs/decisions/0020-one-way-for-a-request.md)).
 */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { routes, log, allowedOrigin = () => false, trustProxy = false, deadlineMs = 4_800 } = options;
  const within = createDeadline(deadlineMs);
  const logRequest = createRequestLog(log);
  const logFailure = createFailureLog(log);
  const warnOfForwarded = createForwardedWarning({ trustProxy, log });

  async function answer(route: Route, c: Context<HttpEnv>): Promise<Response> {
    const startedAt = performance.now();
    const request = c.req.raw;
    const { headers, method } = request;
    const requestId = requestIdOf(headers.get('x-request-id'));
    const given = route.params ? c.req.param() : {};
    const asked: Asked = {
      ...{ request, requestId },
      address() {
        warnOfForwarded(request);
        return addressOf(request, c.env?.server, trustProxy);
      },
      late: (code) => (lateCode = code),
      ...{ params: undefined, query: undefined, body: undefined },
    };
    let entered: EnteredAs | undefined;
    let lateCode: ErrorCode = 'database_unavailable';

    async function work(body: ArrayBuffer | undefined): Promise<Answer> {
      const query = request.url.includes('?') ? c.req.queries() : {};
      if (!route.anyQuery) assertKnown(query, route.query?.entries ?? {});
      entered = await route.needs?.enter?.(asked, given);
      try {
        if (route.params) asked.params = parse(route.params, given);
        if (route.query) asked.query = parseQuery(route.query, query);
        if (route.body) asked.body = parse(route.body, parseJson(headers, body));
      } catch (error) {
        await route.needs?.unreadable?.(asked);
        throw error;
      }
      return route.handle(Object.assign(asked, entered));
    }

    let answered: Answer;
    try {
      assertHost(request);
      const body = await readBody(request);
      // The work itself goes on, but begins or commits no transaction any more: the answer means that its end is not known.
      answered = await asRequest((giveUp) =>
        within(work(body), () => {
          giveUp();
          const cause = new Error(`no answer within ${deadlineMs} ms`);
          return new ChatError(lateCode, undefined, { cause, retryAfterSeconds: 2 });
        }),
      );
    } catch (error) {
      answered = problemOf(error, requestId, logFailure);
    }

    const response = responseOf(answered, method === 'HEAD');
    response.headers.set('X-Request-Id', requestId);
    const origin = headers.get('origin');
    if (origin && allowedOrigin(origin, request)) response.headers.set('Access-Control-Allow-Origin', origin);
    const strict = strictTransport(headers, trustProxy);
    if (strict !== undefined) response.headers.set('Strict-Transport-Security', strict);
    const { status } = answered;
    logRequest(status, () => ({
      ...{ requestId, method, route: route.path, chatId: given.chatId, userId: entered?.identity?.userId },
      ...{ status, startedAt },
    }));
    return response;
  }

  const app: HttpApp = new Hono<HttpEnv>({ getPath: requestPath });
  for (const route of routes) app.on(route.method, route.path, (c) => answer(route, c));
  const unknown = createUnknownRoute(app);
  app.notFound((c) => answer(unknown, c));
  return app;
}
