import { createTcpProxy, type Link, type TcpProxy } from './tcp-proxy.ts';

export interface Balancer {
  readonly port: number;
  close(): Promise<void>;
}

const probeEveryMs = 500;
const probeTimeoutMs = 800;

/**
 * Transparent to HTTP and WebSockets: it chooses a server a connection, by turns among those whose `/healthz` answered
 * lately; the others are the last resort.
 */
export function createBalancer(backends: readonly Link[]): Balancer {
  const healthy = new Set(backends);
  let turn = 0;
  const proxy = createTcpProxy(() => {
    turn += 1;
    const inTurn = backends.map((_, at) => backends[(at + turn) % backends.length] as Link);
    return [...inTurn.filter((link) => healthy.has(link)), ...inTurn.filter((link) => !healthy.has(link))];
  });
  // The probes go the way of the clients: what is done to the link is done to them.
  const probes = backends.map((link) => ({ link, way: createTcpProxy(() => [link]) }));
  const closing = new AbortController();

  async function probe({ link, way }: { link: Link; way: TcpProxy }): Promise<void> {
    while (!closing.signal.aborted) {
      if (await answers(way.port)) healthy.add(link);
      else healthy.delete(link);
      await Bun.sleep(probeEveryMs);
    }
  }
  const probing = probes.map(probe);

  return {
    port: proxy.port,
    async close() {
      closing.abort();
      await Promise.all([proxy.close(), ...probes.map(({ way }) => way.close())]);
      await Promise.all(probing);
    },
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, {
      signal: AbortSignal.timeout(probeTimeoutMs),
      keepalive: false,
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
