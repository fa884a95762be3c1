import { participantFact } from '../chat/participant-fact.ts';
import type { SendMessage } from '../chat/send-message.ts';
import type { ErrorCode, SendAccepted } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import { type AnswerDirectly, type Direct, type DirectWork, directHeaders } from './direct-answer.ts';
import { messagesPath, messagesRoute } from './messages-path.ts';
import { maxBodyBytes } from './middleware/read-body.ts';
import { sendBody } from './schemas/messages.ts';
import { parse, parseJson } from './validate.ts';

const digits = /^\d{1,6}$/;
const jsonMediaType = /^application\/json(?:; ?charset=utf-8)?$/i;

/**
 * `POST /chats/:chatId/messages` as nearly every client sends it. What is unusual about a request, chunks, say, or another
 * spelling of the id, is left to the documented route, which does the same.
 */
export function createDirectSend({
  answer,
  sendMessage,
  log,
}: {
  answer: AnswerDirectly;
  sendMessage: SendMessage;
  log: Logger;
}): Direct {
  async function send(request: Request, chatId: string, given: DirectWork): Promise<Response> {
    const { requestId, within, enter } = given;
    let deadlineCode: ErrorCode = 'database_unavailable';

    async function accept(bytes: ArrayBuffer): Promise<SendAccepted> {
      const { identity, facts } = await enter(({ userId }) => [participantFact(chatId, userId)]);
      return sendMessage({
        chatId,
        senderId: identity.userId,
        ...parse(sendBody, parseJson(bytes)),
        participant: facts[0],
        requestId,
        onPublish: () => (deadlineCode = 'broker_unavailable'),
      });
    }

    // A slow client is not a slow database: what it takes to send its body is no part of the deadline.
    const bytes = await request.arrayBuffer();
    const accepted = await within(accept(bytes), () => deadlineCode);
    log.debug({ requestId, chatId, brokerMessageId: accepted.brokerMessageId }, 'message accepted');
    return new Response(JSON.stringify(accepted), { status: 202, headers: directHeaders });
  }

  return (request, server) => {
    if (request.method !== 'POST') return undefined;
    const path = messagesPath(request.url);
    if (!path || path.search !== undefined || !hasPlainBody(request.headers)) return undefined;
    const { chatId } = path;
    const asked = { request, server, route: messagesRoute, chatId };
    return answer(asked, (given) => send(request, chatId, given));
  };
}

/** JSON of a length that is stated and allowed. */
function hasPlainBody(headers: Headers): boolean {
  const length = headers.get('content-length');
  return (
    length !== null &&
    digits.test(length) &&
    Number(length) <= maxBodyBytes &&
    jsonMediaType.test(headers.get('content-type') ?? '') &&
    !headers.has('transfer-encoding') &&
    !headers.has('content-encoding')
  );
}
