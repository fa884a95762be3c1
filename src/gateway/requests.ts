import { addressOf } from '../shared/client-address.ts';
import { createForwardedWarning } from '../shared/forwarded-warning.ts';
import type { Logger } from '../shared/log.ts';
import type { AllowedOrigin } from '../shared/origins.ts';
import type { ConnectLimits } from './connect-limits.ts';
import { Connection } from './connection.ts';
import type { ConnectionMetrics } from './connection-metrics.ts';
import type { Connections } from './connections.ts';
import {
  addHeaders,
  badRequest,
  forbidden,
  isPlainHandshake,
  preflight,
  refusal,
  refuseRequest,
  socketPath,
  unknownSid,
  urlOf,
} from './http.ts';
import type { Polling } from './polling.ts';
import { Probe } from './probe.ts';

/** Of a request that has been upgraded: an answer to it is looked at by nobody. */
const upgraded = new Response(null);

/** Answers what is asked of Socket.IO's path: begins connections, and carries long polling. */
export function createRequestAnswers(deps: {
  connections: Connections;
  polling: Polling;
  limits: ConnectLimits;
  allowedOrigin: AllowedOrigin;
  trustProxy: boolean;
  measured: Pick<ConnectionMetrics, 'refused'>;
  log: Logger;
  draining: () => boolean;
}): (request: Request, server: Bun.Server<never>) => Response | Promise<Response> {
  const { connections, polling, limits, allowedOrigin, trustProxy, measured, log, draining } = deps;
  const warnOfForwarded = createForwardedWarning({ trustProxy, log });

  const mayConnect = (request: Request): boolean => {
    const origin = request.headers.get('origin');
    return origin === null || allowedOrigin(origin, request);
  };

  /** @param session whose long polling a WebSocket asks to take the place of */
  function begin(
    request: Request,
    server: Bun.Server<never>,
    overWebSocket: boolean,
    session?: Connection,
  ): Response {
    warnOfForwarded(request);
    const address = addressOf(request, server, trustProxy);
    const waitMs = limits.begin(address);
    if (waitMs > 0) {
      measured.refused('rate_limited');
      return refusal(429, forbidden, 'rate_limited', { 'Retry-After': `${Math.ceil(waitMs / 1000)}` });
    }
    if (draining() || !connections.mayBegin(address)) {
      measured.refused('server_busy');
      return refusal(503, forbidden, 'server_busy', { 'Retry-After': '1' });
    }
    if (!overWebSocket) return polling.begin(request, address);
    const data = session
      ? new Probe(connections.remove, address, session)
      : new Connection(connections.remove, address, request.headers.get('authorization') ?? undefined);
    // An upgrade that Bun does not take, for want of a key, say.
    return server.upgrade(request, { data: data as never })
      ? upgraded
      : refusal(400, badRequest, 'Bad request');
  }

  function answer(request: Request, server: Bun.Server<never>): Response | Promise<Response> {
    const url = urlOf(request);
    if (!url) return refusal(400, badRequest, 'Bad request');
    if (url.pathname !== socketPath) return new Response(null, { status: 404 });
    if (request.method === 'OPTIONS') return preflight(request);
    const refused = refuseRequest(request, url);
    if (refused) return refused;
    const sid = url.searchParams.get('sid');
    const session = sid ? polling.session(sid) : undefined;
    if (sid && !session) return refusal(400, unknownSid, 'Session ID unknown');
    if (!mayConnect(request)) {
      measured.refused('origin_not_allowed');
      return refusal(403, forbidden, 'origin_not_allowed');
    }
    const overWebSocket = url.searchParams.get('transport') === 'websocket';
    if (session && !overWebSocket) return polling.answer(session, request);
    if (session?.handshake) session.handshake.upgrades = true;
    return begin(request, server, overWebSocket, session);
  }

  async function withHeaders(request: Request, answering: Response | Promise<Response>): Promise<Response> {
    const answered = await answering;
    if (answered !== upgraded) addHeaders(answered.headers, request, { allowedOrigin, trustProxy });
    return answered;
  }

  return (request, server) => {
    const plain = isPlainHandshake(request) && mayConnect(request);
    const answering = plain ? begin(request, server, true) : answer(request, server);
    return answering === upgraded ? answering : withHeaders(request, answering);
  };
}
