import type { GetHistory } from '../chat/get-history.ts';
import { type AnswerDirectly, type Direct, type DirectWork, directHeaders } from './direct-answer.ts';
import { answerBody } from './json-answer.ts';
import { messagesPath, messagesRoute } from './messages-path.ts';
import { historyFrom, historyQuery } from './schemas/messages.ts';
import { parse } from './validate.ts';

/**
 * `GET /chats/:chatId/messages` as nearly every client asks it. What is unusual about a request, a body, say, or another
 * spelling of the id, is left to the documented route, which does the same.
 */
export function createDirectHistory({
  answer,
  getHistory,
}: {
  answer: AnswerDirectly;
  getHistory: GetHistory;
}): Direct {
  async function page(
    chatId: string,
    query: object,
    { enter }: DirectWork,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { identity } = await enter();
    const { limit, ...cursor } = parse(historyQuery, query);
    return getHistory({ chatId, userId: identity.userId, limit, from: historyFrom(cursor) });
  }

  return (request, server) => {
    if (request.method !== 'GET') return undefined;
    const path = messagesPath(request.url);
    if (!path || mayHaveBody(request.headers)) return undefined;
    const { chatId, search } = path;
    const query = plainQuery(search);
    if (!query) return undefined;
    return answer({ request, server, route: messagesRoute, chatId }, async (given) => {
      const json = await given.within(page(chatId, query, given), () => 'database_unavailable');
      return new Response(answerBody(json), { headers: directHeaders });
    });
  };
}

const plainParameter = /^(limit|before|after)=(\d+)$/;

/** @returns undefined where it has more than the parameters that there are, in digits, each given once */
function plainQuery(search: string | undefined): Record<string, string> | undefined {
  const query: Record<string, string> = {};
  for (const parameter of search?.split('&') ?? []) {
    const [, name, value] = plainParameter.exec(parameter) ?? [];
    if (name === undefined || value === undefined || name in query) return undefined;
    query[name] = value;
  }
  return query;
}

const mayHaveBody = (headers: Headers): boolean =>
  headers.has('content-length') || headers.has('transfer-encoding');
