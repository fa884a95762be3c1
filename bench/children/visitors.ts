/** Honest people: they log in, connect and send, now and then, and each time is kept. */
import { serveControl } from '../harness/control.ts';
import { percentile } from '../harness/statistics.ts';

export interface VisitorsOptions {
  apiPort: number;
  gatewayPort: number;
  /** By their place. */
  addresses: string[];
}

export interface WindowOptions {
  seconds: number;
  /** Where all of them come from; each from their own where it is not given. */
  address?: string;
}

/** Times in milliseconds; of what failed there is none. */
export interface Visits {
  count: number;
  failed: number;
  p50Ms: number;
  p99Ms: number;
}

export type WindowResult = Record<'login' | 'connect' | 'send', Visits>;

interface Visitor {
  email: string;
  address: string;
  token: string;
  chatId: string;
}

const password = 'visitors like to chat';
const giveUpMs = 5_000;
const everyMs = { login: 400, connect: 200, send: 60 };

let options: VisitorsOptions;
let visitors: Visitor[] = [];

serveControl({
  /** @returns their emails */
  async arrive(given: VisitorsOptions): Promise<string[]> {
    options = given;
    const people = given.addresses.map((address, at) => ({ email: `visitor${at}@example.com`, address }));
    const ids: string[] = [];
    for (const { email, address } of people) {
      ids.push((await call<{ id: string }>('/auth/register', { email, password }, address)).id);
    }
    visitors = await Promise.all(
      people.map(async ({ email, address }, at) => {
        const { accessToken: token } = await logIn(email, address);
        const others = [ids[(at + 1) % ids.length]];
        const chat = await call<{ id: string }>('/chats', { participantUserIds: others }, address, token);
        return { email, address, token, chatId: chat.id };
      }),
    );
    return people.map(({ email }) => email);
  },

  /** All of them are known at this address from then on. */
  async moveTo(address: string): Promise<void> {
    for (const { email } of visitors) await logIn(email, address);
  },

  async window({ seconds, address }: WindowOptions): Promise<WindowResult> {
    const until = performance.now() + seconds * 1000;
    const [login, connect, send] = await Promise.all([
      visits(until, everyMs.login, ({ email, address: own }) => logIn(email, address ?? own)),
      visits(until, everyMs.connect, (visitor) => enter(visitor.token, address ?? visitor.address)),
      visits(until, everyMs.send, ({ chatId, token, address: own }) =>
        call(`/chats/${chatId}/messages`, { content: 'hello' }, address ?? own, token),
      ),
    ]);
    return { login, connect, send };
  },
});

/** One after the other, at a constant rate, by everybody in turn. */
async function visits(
  until: number,
  pauseMs: number,
  visit: (visitor: Visitor) => Promise<unknown>,
): Promise<Visits> {
  const took: number[] = [];
  const under: Promise<void>[] = [];
  let failed = 0;
  for (let at = 0; performance.now() < until; at += 1) {
    const visitor = visitors[at % visitors.length];
    if (!visitor) break;
    const began = performance.now();
    under.push(
      visit(visitor).then(
        () => void took.push(performance.now() - began),
        (error) => {
          failed += 1;
          console.log(String(error));
        },
      ),
    );
    await Bun.sleep(pauseMs);
  }
  await Promise.all(under);
  took.sort((a, b) => a - b);
  const at = (share: number) => (took.length > 0 ? percentile(took, share) : Number.POSITIVE_INFINITY);
  return { count: took.length + failed, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

const logIn = (email: string, address: string) =>
  call<{ accessToken: string }>('/auth/login', { email, password }, address);

async function call<Answer>(path: string, body: object, address: string, token?: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${options.apiPort}${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Forwarded-For': address,
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(giveUpMs),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** From the dialling to `chat.ready`. */
function enter(token: string, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`ws://127.0.0.1:${options.gatewayPort}/socket.io/?EIO=4&transport=websocket`, {
    headers: { 'X-Forwarded-For': address },
  });
  const timer = setTimeout(() => reject(new Error('connect: no chat.ready in time')), giveUpMs);
  socket.onmessage = ({ data }) => {
    if (String(data).startsWith('0')) socket.send(`40/chat,${JSON.stringify({ token })}`);
    if (String(data).startsWith('42/chat,["chat.ready"')) resolve();
    if (String(data).startsWith('44')) reject(new Error(`connect: ${data}`));
  };
  socket.onclose = ({ code }) => reject(new Error(`connect: closed with ${code}`));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}
