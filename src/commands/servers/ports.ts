import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A port nobody listens on, on 127.0.0.1. Taken from below the range that systems give to outgoing connections:
 * a server that needs seconds to reach its `bind` would otherwise meet somebody's connection there.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000);
    if (!handedOut.has(port) && (await isFree(port))) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error('found no free port between 15000 and 32000 in 100 attempts');
}

/** `port` if it is free, else another. */
export async function freePortNear(port: number): Promise<number> {
  return (await isFree(port)) ? port : freePort();
}

// Two servers that start at once must not be given the same port before either has bound it.
const handedOut = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
