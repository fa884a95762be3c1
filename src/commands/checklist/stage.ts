import { randomUUID } from 'node:crypto';
import type { Chat, Membership, Message, ServerToClientEvents } from '../../shared/contract.ts';
import { type Answer, expectStatus, type RestClient, StepFailure } from './client.ts';
import { type Listener, listenAs, type PayloadOf } from './listener.ts';
import { known, type Person, type Progress } from './steps.ts';
import { until } from './until.ts';

/** One of the two, in the group. */
export interface Actor {
  readonly id: string;
  readonly socket: Listener;
  /** @throws StepFailure unless it succeeds; waits for processes that do not know yet that all others know it too */
  call(method: string, path: string, body?: unknown): Promise<Answer['body']>;
  /** The same, below the group's path. */
  inChat(method: string, path: string, body?: unknown): Promise<Answer['body']>;
  membership(): Promise<Membership>;
  /** Sends, and waits until it is stored. */
  say(content: string, extras?: object): Promise<Message>;
  /** The first such event, of this socket unless another is given. @throws StepFailure when there is none in time */
  hears<Name extends keyof ServerToClientEvents>(
    event: Name,
    is: (payload: PayloadOf<Name>) => boolean,
    listener?: Listener,
  ): Promise<PayloadOf<Name>>;
  /** One more socket. */
  connect(auth?: object): Promise<Listener>;
}

/** A group of the two that is there for these steps alone, and a socket of each. */
export interface Stage {
  chatId: string;
  a: Actor;
  b: Actor;
  /** The host's own, where its token is given; `actAs` is whom it is, `service` itself. @throws StepFailure unless it succeeds */
  backend:
    | ((method: string, path: string, body: unknown, actAs: string) => Promise<Answer['body']>)
    | undefined;
}

export interface StageOptions {
  api: RestClient;
  socketUrl: string;
  serviceToken: string | undefined;
  progress: Progress;
  /** Closed by the caller. */
  listeners: Listener[];
}

/** @throws StepFailure */
export async function createStage(options: StageOptions): Promise<Stage> {
  const { api, socketUrl, listeners, serviceToken } = options;
  const people = known(options.progress);
  let chatId = '';

  async function succeed(what: string, call: () => Promise<Answer>): Promise<Answer['body']> {
    const ready = async () => {
      const answer = await call();
      return answer.body?.code === 'not_ready' ? undefined : answer;
    };
    const answer = await until(`${what} is not ready`, ready, 250);
    expectStatus(what, answer, 200, 201, 202, 204);
    return answer.body;
  }

  async function actorOf(name: 'A' | 'B', { user, token }: Person): Promise<Actor> {
    const connect: Actor['connect'] = async (auth) => {
      const listener = await listenAs(name, socketUrl, token, auth);
      listeners.push(listener);
      return listener;
    };
    const socket = await connect();

    const call: Actor['call'] = (method, path, body) =>
      succeed(`${method} ${path} as ${name}`, () => api.call(method, path, token, body));
    const inChat: Actor['inChat'] = (method, path, body) => call(method, `/chats/${chatId}${path}`, body);

    const hears: Actor['hears'] = async (event, is, listener = socket) => {
      const heard = () => listener.heard(event).find(is);
      return until(`${name} has not received ${event}`, heard, 5);
    };

    return {
      ...{ id: user.id, socket, call, inChat, hears, connect },
      membership: async () => ((await inChat('GET', '')) as Chat).membership,
      async say(content, extras) {
        const sent = { content, clientMessageId: randomUUID(), ...extras };
        const { brokerMessageId } = await inChat('POST', '/messages', sent);
        return (await hears('chat.message.saved', ({ message }) => message.id === brokerMessageId)).message;
      },
    };
  }

  const [a, b] = [await actorOf('A', people.a), await actorOf('B', people.b)];
  const participantUserIds = [b.id];
  const chat: Chat = await a.call('POST', '/chats', { participantUserIds, isGroup: true, name: 'Checklist' });
  chatId = chat.id;
  for (const who of [a, b]) await who.hears('chat.created', (event) => event.chat.id === chatId);
  const backend: Stage['backend'] = (method, path, body, actAs) =>
    succeed(`${method} ${path} as the backend`, () => api.call(method, path, serviceToken, body, actAs));
  return { chatId, a, b, backend: serviceToken === undefined ? undefined : backend };
}

/** @throws StepFailure that names what does not hold */
export function holds(facts: Readonly<Record<string, boolean>>): void {
  const wrong = Object.keys(facts).filter((fact) => !facts[fact]);
  if (wrong.length > 0) throw new StepFailure(`not so: ${wrong.join('; ')}`);
}

export async function readAll(who: Actor): Promise<Membership> {
  return who.inChat('PUT', '/read', { sequence: Number.MAX_SAFE_INTEGER });
}
