import type { TortureClient } from './client.ts';
import type { Random } from './random.ts';

export interface Restlessness {
  start(): void;
  /** Brings back who is away. */
  stop(): void;
}

const tickMs = 200;
/** How long a client stays on average before something happens to it. */
const meanStayMs = 60_000;

/** Clients that drop and resume, close the laptop for a while, and now and then read a page. */
export function createRestlessness(clients: readonly TortureClient[], random: Random): Restlessness {
  const away = new Map<TortureClient, ReturnType<typeof setTimeout>>();
  let timer: ReturnType<typeof setInterval> | undefined;

  function disturb(client: TortureClient): void {
    const dice = random.next();
    if (dice < 0.45) {
      client.dropTransport();
    } else if (dice < 0.75) {
      client.disconnect();
      const timer = setTimeout(
        () => {
          away.delete(client);
          client.connect();
        },
        random.integer(200, 12_000),
      );
      away.set(client, timer);
    } else {
      const chatIds = [...client.cursors().keys()];
      if (chatIds.length > 0) void client.readNewest(random.pick(chatIds));
    }
  }

  return {
    start() {
      const expected = (clients.length * tickMs) / meanStayMs;
      timer = setInterval(() => {
        let count = Math.floor(expected) + (random.next() < expected % 1 ? 1 : 0);
        for (; count > 0; count -= 1) {
          const client = random.pick(clients);
          if (!away.has(client)) disturb(client);
        }
      }, tickMs);
    },
    stop() {
      clearInterval(timer);
      for (const [client, timer] of away) {
        clearTimeout(timer);
        client.connect();
      }
      away.clear();
    },
  };
}
