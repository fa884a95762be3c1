import type {
  Chat,
  ChatUpdate,
  Membership,
  MessageEdit,
  MessagePage,
  Page,
  ParticipantRole,
  Problem,
  SendAccepted,
  UserPresence,
} from '../src/shared/contract.ts';
import type { SentExtras } from './history.ts';

/** `status` undefined: no answer, so what became of the request is unknown. */
export interface Answer<Body> {
  status: number | undefined;
  body?: Body;
  code?: string;
  /** Seconds, as `Retry-After` says. */
  retryAfter?: number;
}

/** A token of somebody's own; or the host's backend, which acts as somebody. */
export type Credential = string | { serviceToken: string; actAs: string };

/** The api promises an answer within 5 s. */
const timeoutMs = 7_000;

export interface Rest {
  send(
    as: Credential,
    chatId: string,
    message: { content: string; clientMessageId: string } & SentExtras,
  ): Promise<Answer<SendAccepted>>;
  edit(token: string, chatId: string, messageId: string, edit: MessageEdit): Promise<Answer<unknown>>;
  delete(token: string, chatId: string, messageId: string): Promise<Answer<unknown>>;
  react(
    token: string,
    chatId: string,
    messageId: string,
    key: string,
    present: boolean,
  ): Promise<Answer<unknown>>;
  chats(token: string, cursor?: string): Promise<Answer<Page<Chat>>>;
  chat(token: string, chatId: string): Promise<Answer<Chat>>;
  history(token: string, chatId: string, query: string): Promise<Answer<MessagePage>>;
  markRead(
    token: string,
    chatId: string,
    read: { sequence: number; version?: number | undefined },
  ): Promise<Answer<Membership>>;
  markUnread(token: string, chatId: string, sequence: number): Promise<Answer<Membership>>;
  add(as: Credential, chatId: string, userId: string): Promise<Answer<unknown>>;
  remove(as: Credential, chatId: string, userId: string): Promise<Answer<unknown>>;
  update(token: string, chatId: string, update: ChatUpdate): Promise<Answer<unknown>>;
  end(token: string, chatId: string): Promise<Answer<unknown>>;
  setRole(token: string, chatId: string, userId: string, role: ParticipantRole): Promise<Answer<unknown>>;
  type(token: string, chatId: string, typing: boolean): Promise<Answer<unknown>>;
  presence(token: string, userIds: readonly string[]): Promise<Answer<{ data: UserPresence[] }>>;
}

export function createRest(url: string): Rest {
  async function request<Body>(
    method: string,
    path: string,
    as: Credential,
    body?: object,
  ): Promise<Answer<Body>> {
    try {
      const answer = await fetch(`${url}${path}`, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...headersOf(as),
          ...(body ? { 'Content-Type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await answer.text();
      if (answer.ok) {
        return { status: answer.status, ...(text === '' ? {} : { body: JSON.parse(text) as Body }) };
      }
      const retryAfter = Number(answer.headers.get('Retry-After') ?? 0);
      return { status: answer.status, code: codeOf(text), retryAfter };
    } catch {
      return { status: undefined };
    }
  }

  return {
    send: (as, chatId, message) => request('POST', `/chats/${chatId}/messages`, as, message),
    edit: (token, chatId, id, edit) => request('PATCH', `/chats/${chatId}/messages/${id}`, token, edit),
    delete: (token, chatId, id) => request('DELETE', `/chats/${chatId}/messages/${id}`, token),
    react: (token, chatId, id, key, present) =>
      request(
        present ? 'PUT' : 'DELETE',
        `/chats/${chatId}/messages/${id}/reactions/${encodeURIComponent(key)}`,
        token,
      ),
    chats: (token, cursor) =>
      request('GET', `/chats?limit=100${cursor === undefined ? '' : `&cursor=${cursor}`}`, token),
    chat: (token, chatId) => request('GET', `/chats/${chatId}`, token),
    history: (token, chatId, query) => request('GET', `/chats/${chatId}/messages?${query}`, token),
    markRead: (token, chatId, read) => request('PUT', `/chats/${chatId}/read`, token, read),
    markUnread: (token, chatId, sequence) => request('PUT', `/chats/${chatId}/unread`, token, { sequence }),
    add: (as, chatId, userId) => request('POST', `/chats/${chatId}/participants`, as, { userIds: [userId] }),
    remove: (as, chatId, userId) => request('DELETE', `/chats/${chatId}/participants/${userId}`, as),
    update: (token, chatId, update) => request('PATCH', `/chats/${chatId}`, token, update),
    end: (token, chatId) => request('DELETE', `/chats/${chatId}`, token),
    setRole: (token, chatId, userId, role) =>
      request('PATCH', `/chats/${chatId}/participants/${userId}`, token, { role }),
    type: (token, chatId, typing) => request('PUT', `/chats/${chatId}/typing`, token, { typing }),
    presence: (token, userIds) => request('GET', `/presence?userIds=${userIds.join()}`, token),
  };
}

const headersOf = (as: Credential): Record<string, string> =>
  typeof as === 'string'
    ? { Authorization: `Bearer ${as}` }
    : { Authorization: `Bearer ${as.serviceToken}`, 'X-Act-As': as.actAs };

function codeOf(text: string): string {
  try {
    return (JSON.parse(text) as Problem).code;
  } catch {
    return 'no problem document';
  }
}
