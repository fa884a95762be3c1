import type { Server } from 'bun';
import type { Identity } from '../auth/authenticate.ts';
import { participantFact } from '../chat/participant-fact.ts';
import type { SendMessage } from '../chat/send-message.ts';
import { addressOf } from '../shared/client-address.ts';
import type { ErrorCode, SendAccepted } from '../shared/contract.ts';
import { createDeadline } from '../shared/deadline.ts';
import type { Logger } from '../shared/log.ts';
import {
  contentSecurityPolicy,
  createRequestLog,
  exposedHeaders,
  requestIdOf,
  securityHeaders,
} from './answer.ts';
import { noAnswer } from './middleware/deadline.ts';
import { maxBodyBytes } from './middleware/read-body.ts';
import { bearerToken, createEntry, type EntryDependencies } from './middleware/require-identity.ts';
import { problemOf } from './problem.ts';
import { sendBody } from './schemas/messages.ts';
import { parse, parseJson } from './validate.ts';

const sendPath =
  /^https?:\/\/[^/]*\/chats\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/messages$/;
const digits = /^\d{1,6}$/;
const jsonMediaType = /^application\/json(?:; ?charset=utf-8)?$/i;

/** @returns undefined for what the routes are to answer */
export type DirectSend = (
  request: Request,
  server: Server<unknown> | undefined,
) => Promise<Response> | undefined;

/**
 * `POST /chats/:chatId/messages` as nearly every client sends it, past Hono's router, context and layers: they cost more
 * than all that a send needs. What is unusual about a request, chunks, say, or another spelling of the id, is left to the
 * documented route, which does the same: both use the same checks and answers, and the same tests are run on both.
 */
export function createDirectSend(
  deps: EntryDependencies & {
    sendMessage: SendMessage;
    allowedOrigin(origin: string): boolean;
    trustProxy: boolean;
    deadlineMs: number;
    log: Logger;
  },
): DirectSend {
  const { sendMessage, allowedOrigin, trustProxy, deadlineMs, log } = deps;
  const enter = createEntry(deps);
  const within = createDeadline(deadlineMs);
  const logRequest = createRequestLog(log);

  async function answer(
    request: Request,
    server: Server<unknown> | undefined,
    chatId: string,
  ): Promise<Response> {
    const startedAt = performance.now();
    const { headers } = request;
    const requestId = requestIdOf(headers.get('x-request-id'));
    let deadlineCode: ErrorCode = 'database_unavailable';
    let identity: Identity | undefined;

    async function send(bytes: ArrayBuffer): Promise<SendAccepted> {
      const address = addressOf(request, server, trustProxy);
      const entered = await enter(bearerToken(headers.get('authorization')), address, ({ userId }) => [
        participantFact(chatId, userId),
      ]);
      identity = entered.identity;
      return sendMessage({
        chatId,
        senderId: identity.userId,
        ...parse(sendBody, parseJson(bytes)),
        participant: entered.facts[0],
        requestId,
        onPublish: () => (deadlineCode = 'broker_unavailable'),
      });
    }

    let response: Response;
    try {
      // A slow client is not a slow database: what it takes to send its body is no part of the deadline.
      const bytes = await request.arrayBuffer();
      const accepted = await within(send(bytes), () => noAnswer(deadlineCode, deadlineMs));
      response = new Response(JSON.stringify(accepted), { status: 202, headers: acceptedHeaders });
      log.debug({ requestId, chatId, brokerMessageId: accepted.brokerMessageId }, 'message accepted');
    } catch (error) {
      const problem = problemOf(error, requestId, log);
      response = new Response(problem.body, {
        status: problem.status,
        headers: { ...commonHeaders, ...problem.headers },
      });
    }
    const { status } = response;
    response.headers.set('X-Request-Id', requestId);
    const origin = headers.get('origin');
    if (origin && allowedOrigin(origin)) response.headers.set('Access-Control-Allow-Origin', origin);
    logRequest(status, () => ({
      ...{ requestId, method: 'POST', route, chatId, userId: identity?.userId, status, startedAt },
    }));
    return response;
  }

  return (request, server) => {
    if (request.method !== 'POST') return undefined;
    const chatId = sendPath.exec(request.url)?.[1];
    if (chatId === undefined || !hasPlainBody(request.headers)) return undefined;
    return answer(request, server, chatId);
  };
}

const route = '/chats/:chatId/messages';
const commonHeaders = {
  ...securityHeaders,
  'Content-Security-Policy': contentSecurityPolicy,
  'Access-Control-Expose-Headers': exposedHeaders,
  Vary: 'Origin',
};
/** Copied as a whole, which costs a third of setting each. */
const acceptedHeaders = new Headers({ ...commonHeaders, 'Content-Type': 'application/json' });

/** JSON of a length that is stated and allowed. */
function hasPlainBody(headers: Headers): boolean {
  const length = headers.get('content-length');
  return (
    length !== null &&
    digits.test(length) &&
    Number(length) <= maxBodyBytes &&
    jsonMediaType.test(headers.get('content-type') ?? '') &&
    !headers.has('transfer-encoding')
  );
}
