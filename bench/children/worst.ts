/** Somebody who does their worst with what they have: an address, a network, an account, an email of somebody else. */
import { serveControl } from '../harness/control.ts';

export const means = ['address', 'network', 'user', 'email', 'neighbour'] as const;
/** `neighbour`: the address of those who are harmed. */
export type Means = (typeof means)[number];

export interface WorstOptions {
  means: Means;
  seconds: number;
  /** Of everything together. */
  aSecond: number;
  apiPort: number;
  gatewayPort: number;
  address: string;
  /** An account of their own. */
  token: string;
  chatId: string;
  /** Of those who are harmed. */
  emails: string[];
}

const mostSockets = 3_000;
const junk = () => crypto.randomUUID();
const group = () => Math.floor(Math.random() * 65_536).toString(16);

serveControl({
  /** @returns how many attempts there were */
  async run(options: WorstOptions): Promise<number> {
    const { apiPort, gatewayPort, token, chatId } = options;
    const sockets: WebSocket[] = [];
    const addressOf: Record<Means, () => string> = {
      address: () => options.address,
      neighbour: () => options.address,
      user: () => options.address,
      // Any of a /48.
      network: () => `2001:db8:7::${group()}:${group()}`.replace('::', `:${group()}::`),
      // A network of machines that were taken over.
      email: () => `2a00:${group()}:${group()}::1`,
    };
    const address = addressOf[options.means];

    const ask = (path: string, init: { body?: object; token?: string } = {}) =>
      fetch(`http://127.0.0.1:${apiPort}${path}`, {
        method: init.body ? 'POST' : 'GET',
        headers: {
          'X-Forwarded-For': address(),
          ...(init.body ? { 'Content-Type': 'application/json' } : {}),
          ...(init.token ? { Authorization: `Bearer ${init.token}` } : {}),
        },
        ...(init.body ? { body: JSON.stringify(init.body) } : {}),
        signal: AbortSignal.timeout(5_000),
      }).then((response) => response.arrayBuffer());
    const open = (query: string, hello?: string) => {
      if (sockets.length >= mostSockets) sockets.shift()?.terminate();
      const socket = new WebSocket(
        `ws://127.0.0.1:${gatewayPort}/socket.io/?EIO=4&transport=websocket${query}`,
        {
          headers: { 'X-Forwarded-For': address() },
        },
      );
      if (hello !== undefined) socket.onopen = () => socket.send(hello);
      sockets.push(socket);
    };
    const poll = () =>
      fetch(`http://127.0.0.1:${gatewayPort}/socket.io/?EIO=4&transport=polling`, {
        headers: { 'X-Forwarded-For': address() },
        signal: AbortSignal.timeout(5_000),
      }).then((response) => response.arrayBuffer());

    const login = (email: string) => ask('/auth/login', { body: { email, password: junk() } });
    const outside = [
      () => login(`${junk()}@example.com`),
      () => ask('/auth/refresh', { body: { refreshToken: junk() } }),
      () => ask('/auth/register', { body: { email: `${junk()}@example.com`, password: junk() } }),
      () => ask('/chats', { token: junk() }),
      () => ask('/readyz'),
      () => open(''),
      () => open('&sid='),
      () => open('', '40/chat,{"token":"none"}'),
      poll,
    ];
    const inside = [
      () => ask(`/chats/${chatId}/messages`, { body: { content: 'x'.repeat(8_000) }, token }),
      () => ask(`/chats/${chatId}/messages?limit=100`, { token }),
      () => ask('/chats?limit=100', { token }),
      () => ask(`/chats/${chatId}/changes?after=0`, { token }),
      () => open('', `40/chat,${JSON.stringify({ token })}`),
      () => {
        const cursors = Object.fromEntries(Array.from({ length: 900 }, () => [junk(), 1]));
        open('', `40/chat,${JSON.stringify({ token, cursors })}`);
      },
    ];
    const all: Record<Means, (() => unknown)[]> = {
      address: outside,
      neighbour: outside,
      network: outside,
      user: inside,
      email: options.emails.map((email) => () => login(email)),
    };
    const moves = all[options.means];

    const began = performance.now();
    let done = 0;
    const asked = new Set<Promise<unknown>>();
    for (let seconds = 0; seconds < options.seconds; seconds = (performance.now() - began) / 1000) {
      for (; done < seconds * options.aSecond; done += 1) {
        const move = moves[done % moves.length];
        // What becomes of it is not the question.
        const one = Promise.resolve(move?.()).catch(() => {});
        asked.add(one);
        one.then(() => asked.delete(one));
      }
      await Bun.sleep(2);
    }
    for (const socket of sockets) socket.terminate();
    // The next window begins when nothing of this one is still being worked on.
    await Promise.all(asked);
    return done;
  },
});
