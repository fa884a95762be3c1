import { io, type Socket } from 'socket.io-client';
import type {
  Chat,
  Message,
  MessageEvent,
  SendAccepted,
  ServerToClientEvents,
  TokenPair,
} from '../../src/shared/contract.ts';
import type { Deployment } from './deployment.ts';
import { eventually } from './eventually.ts';
import { untilNotBusy } from './not-busy.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the test expects of it is checked by `expect`
  body: any;
  headers: Headers;
}

/** Somebody with an account at a deployment, who speaks to it over the network alone. */
export interface Person {
  readonly id: string;
  readonly token: string;
  /** @param body text goes as it is, anything else as JSON */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  newChat(...others: Person[]): Promise<Chat>;
  send(chatId: string, content: string, clientMessageId?: string): Promise<SendAccepted>;
  history(chatId: string): Promise<Message[]>;
  /** Connected, and recording, when it resolves. */
  connect(options?: { transports?: string[]; url?: string; cursors?: Record<string, number> }): Promise<Ears>;
}

export interface Ears {
  readonly socket: Socket<ServerToClientEvents>;
  readonly news: MessageEvent[];
  readonly saved: MessageEvent[];
  /** Every event, as `[name, payload]`. */
  // biome-ignore lint/suspicious/noExplicitAny: what the test expects of it is checked by `expect`
  readonly events: [string, any][];
  heard(content: string): Promise<MessageEvent>;
  close(): void;
}

const password = 'correct horse battery staple';

/** Registers and logs in. */
export async function newPerson(deployment: Deployment, name = 'person'): Promise<Person> {
  const email = `${name}-${crypto.randomUUID()}@example.com`;
  const ask = (path: string) =>
    untilNotBusy(() => request(deployment, 'POST', path, undefined, { email, password }));
  const registered = await ask('/auth/register');
  if (registered.status !== 201) throw new Error(`register: ${JSON.stringify(registered)}`);
  const answer = await ask('/auth/login');
  if (answer.status !== 200) throw new Error(`login: ${JSON.stringify(answer)}`);
  const { accessToken, user } = answer.body as TokenPair;
  return personWith(deployment, user.id, accessToken);
}

export function personWith(deployment: Deployment, id: string, token: string): Person {
  const call: Person['call'] = (method, path, body) => request(deployment, method, path, token, body);
  return {
    id,
    token,
    call,
    async newChat(...others) {
      const { status, body } = await call('POST', '/chats', {
        participantUserIds: others.map((other) => other.id),
        isGroup: others.length !== 1,
      });
      if (status !== 201) throw new Error(`new chat: ${status} ${JSON.stringify(body)}`);
      return body;
    },
    async send(chatId, content, clientMessageId = crypto.randomUUID()) {
      const { status, body } = await call('POST', `/chats/${chatId}/messages`, { content, clientMessageId });
      if (status !== 202) throw new Error(`send: ${status} ${JSON.stringify(body)}`);
      return body;
    },
    async history(chatId) {
      const { status, body } = await call('GET', `/chats/${chatId}/messages?limit=100`);
      if (status !== 200) throw new Error(`history: ${status} ${JSON.stringify(body)}`);
      return body.data;
    },
    connect: ({ transports = ['websocket'], url = deployment.socketUrl, cursors } = {}) =>
      listen(url, { token, ...(cursors && { cursors }) }, transports),
  };
}

async function listen(url: string, auth: object, transports: string[]): Promise<Ears> {
  const socket: Ears['socket'] = io(`${url}/chat`, {
    transports,
    auth,
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
  });
  const news: MessageEvent[] = [];
  const saved: MessageEvent[] = [];
  const events: Ears['events'] = [];
  socket.on('chat.message.new', (event) => news.push(event));
  socket.on('chat.message.saved', (event) => saved.push(event));
  socket.onAny((name, payload) => events.push([name, payload]));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve);
  socket.once('connect_error', reject);
  await promise.catch((error) => {
    socket.disconnect();
    throw error;
  });
  return {
    socket,
    news,
    saved,
    events,
    async heard(content) {
      const find = () => news.find(({ message }) => message.content === content);
      await eventually(`"${content}" is heard`, () => find() !== undefined);
      return find()!;
    },
    close: () => socket.disconnect(),
  };
}

async function request(
  { apiUrl }: Deployment,
  method: string,
  path: string,
  token?: string,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}
