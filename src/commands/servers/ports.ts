import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * A port nobody listens on, on 127.0.0.1. Taken from below the range that systems give to outgoing connections:
 * a server that needs seconds to reach its `bind` would otherwise meet somebody's connection there.
 */
export async function freePort(from = 15_000, to = 32_000): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(from, to);
    const claim = await claimed(port);
    if (!claim) continue;
    if (await isFree(port)) return port;
    claim.close();
  }
  throw new Error(`found no free port between ${from} and ${to} in 100 attempts`);
}

/** `port` if it is free, else another. */
export async function freePortNear(port: number): Promise<number> {
  return (await isFree(port)) ? port : freePort();
}

/**
 * The same number of UDP, which nobody uses, kept until this process ends. Whoever asks here, in whatever process, does not get the
 * port meanwhile: a server takes seconds to its `bind`, and one that is restarted leaves its port and comes back to it.
 */
function claimed(port: number): Promise<Pick<Socket, 'close'> | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(undefined));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(socket.unref()));
  });
}

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
