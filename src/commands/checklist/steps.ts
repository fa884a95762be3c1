import { randomUUID } from 'node:crypto';
import type { Chat, SendAccepted, User } from '../../shared/contract.ts';
import type { Credentials } from './arguments.ts';
import { expectStatus, type RestClient, StepFailure } from './client.ts';
import { type Listener, listenAs } from './listener.ts';
import { acceptedShapeProblems, eventShapeProblems } from './shape.ts';
import { until } from './until.ts';

export interface Step {
  name: string;
  run(): Promise<Outcome>;
}

/** What it adds to its tick, or why there is nothing to show here; a step that fails throws StepFailure. */
export type Outcome = string | { leftOut: string };

export interface Progress {
  a?: Person;
  b?: Person;
  chatId?: string;
  accepted?: SendAccepted;
  /** The six steps are done. */
  further?: boolean;
}

export interface Person {
  user: User;
  token: string;
}

/** How long sockets that must stay silent are listened to, once the sender's copy has come. */
const silenceMs = 1_000;

/** The user's six steps. `progress` holds how far they came; `close` ends the sockets of `listeners`. */
export function createSteps(options: { api: RestClient; socketUrl: string; a: Credentials; b: Credentials }) {
  const { api, socketUrl } = options;
  const progress: Progress = {};
  const listeners: Listener[] = [];
  const content = `checklist ${randomUUID()}`;
  const clientMessageId = randomUUID();
  let ofA: Listener[] = [];
  let ofB: Listener | undefined;

  const listen = async (name: string, token: string): Promise<Listener> => {
    const listener = await listenAs(name, socketUrl, token);
    listeners.push(listener);
    return listener;
  };

  const steps: Step[] = [
    {
      name: 'Log in as user A and user B',
      async run() {
        progress.a = await signIn(api, 'a', options.a);
        progress.b = await signIn(api, 'b', options.b);
        if (progress.a.user.id === progress.b.user.id) throw new StepFailure('A and B are the same user');
        return `A is ${nameOf(progress.a.user)}, B is ${nameOf(progress.b.user)}`;
      },
    },
    {
      name: 'Connect both clients to /chat',
      async run() {
        const { a, b } = known(progress);
        // Two of the sender's: neither may get the message back.
        ofA = [await listen('A', a.token), await listen('A (second socket)', a.token)];
        ofB = await listen('B', b.token);
        return `two sockets of A and one of B at ${socketUrl}`;
      },
    },
    {
      name: 'Both are participants of the same chat',
      async run() {
        const { a, b } = known(progress);
        const made = await api.post('/chats', { participantUserIds: [b.user.id] }, a.token);
        expectStatus('POST /chats', made, 200, 201);
        const { id } = made.body as Chat;
        const seen = await api.get(`/chats/${id}`, b.token);
        expectStatus('GET /chats/:chatId as B', seen, 200);
        const ids = new Set((seen.body as Chat).participants.map(({ userId }) => userId));
        if (!ids.has(a.user.id) || !ids.has(b.user.id))
          throw new StepFailure(`chat ${id} does not have both`);
        progress.chatId = id;
        return `chat ${id}`;
      },
    },
    {
      name: 'A sends through POST /chats/:chatId/messages',
      async run() {
        const { a } = known(progress);
        const path = `/chats/${progress.chatId}/messages`;
        const answer = await api.post(path, { content, clientMessageId }, a.token);
        expectStatus(`POST ${path}`, answer, 202);
        refuse('the answer is not as documented', acceptedShapeProblems(answer.body));
        progress.accepted = answer.body as SendAccepted;
        if (progress.accepted.clientMessageId !== clientMessageId) {
          throw new StepFailure('the answer has another clientMessageId');
        }
        return `202, message ${progress.accepted.brokerMessageId}`;
      },
    },
    {
      name: 'B receives chat.message.new, exactly as documented',
      async run() {
        const { a } = known(progress);
        const received = () => ofB?.heard('chat.message.new') ?? [];
        await arrival('B has not received chat.message.new', ofA, () => received().length > 0);
        const [event, ...more] = received();
        refuse('the event is not as documented', eventShapeProblems(event));
        const message = event?.message;
        refuse('the event is not about the message sent', [
          ...(more.length > 0 ? [`it came ${more.length + 1} times`] : []),
          ...(message?.id === progress.accepted?.brokerMessageId ? [] : ['message.id']),
          ...(message?.clientMessageId === clientMessageId ? [] : ['message.clientMessageId']),
          ...(message?.content === content ? [] : ['message.content']),
          ...(message?.senderId === a.user.id ? [] : ['message.senderId']),
          ...(message?.chatId === progress.chatId && event?.chatId === progress.chatId ? [] : ['chatId']),
        ]);
        return `sequence ${message?.sequence}`;
      },
    },
    {
      name: 'A receives no chat.message.new of it',
      async run() {
        const saved = () => ofA.every(({ heard }) => heard('chat.message.saved').length > 0);
        await arrival("A's sockets have not received chat.message.saved", ofA, saved);
        await Bun.sleep(silenceMs);
        const wrong = ofA.flatMap(({ heard }) => heard('chat.message.new')).length;
        if (wrong > 0) throw new StepFailure(`A received chat.message.new ${wrong} times`);
        if (ofB && ofB.heard('chat.message.new').length > 1)
          throw new StepFailure('B received the message twice');
        return `chat.message.saved instead; listened ${silenceMs / 1000} s more`;
      },
    },
  ];

  return {
    steps,
    progress,
    listeners,
    close: () => {
      for (const listener of listeners) listener.close();
    },
  };
}

export function known({ a, b }: Progress): { a: Person; b: Person } {
  if (!a || !b) throw new StepFailure('nobody is logged in');
  return { a, b };
}

function refuse(what: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new StepFailure(`${what}: ${problems.join('; ')}`);
}

/** Whatever is looked for, unless the message is refused meanwhile. */
function arrival(what: string, senders: readonly Listener[], isThere: () => boolean): Promise<true> {
  const look = () => {
    const [failed] = senders.flatMap(({ heard }) => heard('chat.message.failed'));
    if (failed) throw new StepFailure(`the message was refused after its 202 (${failed.code})`);
    return isThere() || undefined;
  };
  return until(what, look, 5);
}

async function signIn(api: RestClient, letter: 'a' | 'b', credentials: Credentials): Promise<Person> {
  if (credentials.kind === 'token') {
    const answer = await api.get('/auth/me', credentials.token);
    expectStatus(`GET /auth/me with --token-${letter}`, answer, 200);
    return { user: answer.body as User, token: credentials.token };
  }
  const { email, password } =
    credentials.kind === 'login' ? credentials : await register(api, `checklist-${letter}`);
  const answer = await api.post('/auth/login', { email, password });
  expectStatus(`POST /auth/login as ${email}`, answer, 200);
  return { user: answer.body.user, token: answer.body.accessToken };
}

async function register(api: RestClient, name: string): Promise<{ email: string; password: string }> {
  const email = `${name}-${randomUUID().slice(0, 8)}@example.com`;
  const password = randomUUID();
  const answer = await api.post('/auth/register', { email, password });
  if (answer.status === 404 && answer.body?.code === 'route_not_found') {
    throw new StepFailure(
      'this deployment has outside identity: give it two tokens, --token-a and --token-b',
    );
  }
  expectStatus('POST /auth/register', answer, 201);
  return { email, password };
}

const nameOf = (user: User): string => user.email ?? user.displayName;
