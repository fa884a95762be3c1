import type { Server } from 'bun';
import { addressOf } from '../../shared/client-address.ts';
import type { ErrorCode } from '../../shared/contract.ts';
import { asRequest } from '../../shared/current-request.ts';
import { createDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import { createForwardedWarning } from '../../shared/forwarded-warning.ts';
import type { Logger } from '../../shared/log.ts';
import { createMetrics, type Metrics } from '../../shared/metrics/metrics.ts';
import type { AllowedOrigin } from '../../shared/origins.ts';
import { strictTransport } from '../../shared/security-headers.ts';
import { type Answer, responseOf } from './answer.ts';
import { createFailureLog } from './failure-log.ts';
import { problemOf } from './problem.ts';
import { readBody } from './read-body.ts';
import { createRequestLog, requestIdOf } from './request-log.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { assertHost, queryOf, requestPath } from './request-path.ts';
import type { Asked, EnteredAs, Route } from './route.ts';
import { createRouteOf } from './route-of.ts';
import { assertKnown, parse, parseJson, parseQuery } from './validate.ts';

export interface HttpAppOptions {
  routes: readonly Route[];
  log: Logger;
  metrics?: Metrics | undefined;
  /** Whose pages may read the answers; nobody's unless given. */
  allowedOrigin?: AllowedOrigin;
  /** Whether a proxy of ours says the client's address and scheme. */
  trustProxy?: boolean;
  /** Whether every live process can load such changes. */
  everyoneLoads?: (event: string) => boolean;
  /** No request lasts longer; a slow client's body is no part of it. */
  deadlineMs?: number;
}

export interface HttpApp {
  /** @param server knows the client's address */
  fetch(request: Request, server?: Server<unknown>): Promise<Response>;
}

/** `asRequest` without what it costs: every `await` of the work carries what it is told. */
const untold: typeof asRequest = (work) => work(() => {});

/**
 * Everything that a request is put through, whatever its route, is `answer` below. Of Hono there is the router alone
 * ([why](../../../docs/decisions/0020-one-way-for-a-request.md)).
 */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { routes, log, metrics = createMetrics(), deadlineMs = 4_800 } = options;
  const { allowedOrigin = () => false, trustProxy = false } = options;
  const within = createDeadline(deadlineMs);
  const logRequest = createRequestLog(log);
  const logFailure = createFailureLog(log);
  const measured = createRequestMetrics(metrics, routes);
  const warnOfForwarded = createForwardedWarning({ trustProxy, log });

  const routeOf = createRouteOf(routes);

  async function answer(request: Request, server?: Server<unknown>): Promise<Response> {
    const startedAt = measured.begin();
    const { headers, method } = request;
    const requestId = requestIdOf(headers.get('x-request-id'));
    const { route, given } = routeOf(method, requestPath(request));
    const asked: Asked = {
      request,
      requestId,
      address() {
        warnOfForwarded(request);
        return addressOf(request, server, trustProxy);
      },
      peer: () => server?.requestIP(request)?.address,
      late: (code) => (lateCode = code),
      params: undefined,
      query: undefined,
      body: undefined,
    };
    let entered: EnteredAs | undefined;
    let lateCode: ErrorCode = 'database_unavailable';

    async function work(body: ArrayBuffer | undefined): Promise<Answer> {
      const query = queryOf(request);
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
      const { makes = [] } = route;
      if (!makes.every((event) => options.everyoneLoads?.(event))) throw new ChatError('not_ready');
      return route.handle(Object.assign(asked, entered));
    }

    let answered: Answer;
    let refused: ErrorCode | undefined;
    try {
      assertHost(request);
      const reading = readBody(request, route.mostBodyBytes?.(request));
      const body = reading && (await reading);
      // The work itself goes on, but begins or commits no transaction any more: the answer means that its end is not known.
      answered = await (route.transacts ? asRequest : untold)((giveUp) =>
        within(work(body), () => {
          giveUp();
          const cause = new Error(`no answer within ${deadlineMs} ms`);
          return new ChatError(lateCode, undefined, { cause, retryAfterSeconds: 2 });
        }),
      );
    } catch (error) {
      answered = problemOf(error, requestId, (failure) => {
        refused = failure.code;
        logFailure(failure);
      });
    }

    const response = responseOf(answered, method === 'HEAD');
    response.headers.set('X-Request-Id', requestId);
    const origin = headers.get('origin');
    if (origin && allowedOrigin(origin, request)) response.headers.set('Access-Control-Allow-Origin', origin);
    const strict = strictTransport(headers, trustProxy);
    if (strict !== undefined) response.headers.set('Strict-Transport-Security', strict);
    const { status } = answered;
    measured.end({ route, method, status, refused, startedAt });
    logRequest(status, () => ({
      ...{ requestId, method, route: route.path, chatId: given.chatId, userId: entered?.identity?.userId },
      ...{ status, startedAt, ...(entered?.byService ? { byService: true } : {}) },
    }));
    return response;
  }

  return { fetch: answer };
}
