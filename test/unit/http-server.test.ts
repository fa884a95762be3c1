import { afterAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import pino from 'pino';
import { endUnnoticed, type HttpServer, listen } from '../../src/process/http-server.ts';
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { StartError } from '../../src/shared/start-error.ts';

const servers: HttpServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop())));

function serve(host: string, port = 0, fetch: () => Response | Promise<Response> = () => new Response('ok')) {
  const server = listen({ host, port, fetch }, 'PORT');
  servers.push(server);
  return server;
}

const answers = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

/** What others on the network would take; on Linux all of 127.0.0.0/8 is this machine, but not localhost. */
const outside = [
  ...(process.platform === 'linux' ? ['127.0.0.2'] : []),
  ...Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family, scopeid }) => !internal && (family === 'IPv4' || scopeid === 0))
    .map(({ address }) => address),
];

describe('where it listens', () => {
  test('localhost: for this machine alone, by IPv4 and IPv6', async () => {
    const { port, place } = serve('localhost');
    expect(await answers(port, '127.0.0.1')).toBe(true);
    expect(await answers(port, '::1')).toBe(true);
    expect(outside.length).toBeGreaterThan(0);
    for (const address of outside) expect(await answers(port, address), address).toBe(false);
    expect(place).toBe(`http://localhost:${port}, for this machine alone (HOST)`);
  });

  test('::, for everybody: by every address of both families', async () => {
    const { port, place } = serve('::');
    for (const address of ['127.0.0.1', '::1', ...outside]) {
      expect(await answers(port, address), address).toBe(true);
    }
    expect(place).toBe(`http://localhost:${port} and every address of this machine`);
  });

  test('one address: there and nowhere else', async () => {
    const { port, place, url } = serve('::1');
    expect(await answers(port, '::1')).toBe(true);
    expect(await answers(port, '127.0.0.1')).toBe(false);
    expect([place, url]).toEqual([`http://[::1]:${port}`, `http://[::1]:${port}`]);
  });

  test('a port that is taken on either address is refused, and nothing is left listening', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const { port } = serve(host);
      expect(() => listen({ host: 'localhost', port, fetch: () => new Response() }, 'GATEWAY_PORT')).toThrow(
        `Port ${port} is taken: stop what listens there, or set GATEWAY_PORT to another port.`,
      );
      expect(await answers(port, host === '::1' ? '127.0.0.1' : '::1')).toBe(false);
    }
  });

  test('an address of another machine, and what is none, is refused by the name of its variable', () => {
    for (const host of ['192.0.2.99', 'nobody.invalid', 'fe80::1', 'a..b']) {
      const isRefused = expect(() => serve(host));
      isRefused.toThrow(StartError);
      isRefused.toThrow(new RegExp(`^${host} is no address of this machine \\(E[A-Z]+\\): set HOST`));
    }
  });
});

describe('the end', () => {
  const log = pino({ level: 'silent' });
  /** Sends one request after the other on one connection; what is answered, and whether it is still open. */
  async function connection(port: number) {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    let open = true;
    socket.on('data', (data) => (received += data));
    socket.on('close', () => (open = false));
    socket.on('error', () => {});
    return {
      open: () => open,
      async ask(): Promise<string> {
        const before = received.length;
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        while (open && !received.slice(before).endsWith('ok')) await Bun.sleep(1);
        return received.slice(before);
      },
    };
  }

  test('begins with a pause in which everything is answered, as the last of its connection', async () => {
    const lifecycle = createLifecycle(log);
    const http = serve('localhost');
    endUnnoticed(lifecycle, http, 1_500);
    const [used, kept] = [await connection(http.port), await connection(http.port)];
    expect(await used.ask()).not.toContain('Connection: close');
    expect(await kept.ask()).toContain('200 OK');

    const ended = lifecycle.untilSignal();
    expect(lifecycle.leaving()).toBe(false);
    process.emit('SIGTERM');
    expect(lifecycle.leaving()).toBe(true);
    const told = performance.now();
    await Bun.sleep(20);
    // A new one, and one that had been kept.
    expect(await (await fetch(`http://localhost:${http.port}`)).text()).toBe('ok');
    expect(await used.ask()).toContain('Connection: close');
    while (used.open()) await Bun.sleep(1);
    expect(kept.open()).toBe(true);
    await ended;
    expect(performance.now() - told).toBeWithin(1_490, 10_000);
    expect(await answers(http.port, '127.0.0.1')).toBe(false);
    while (kept.open()) await Bun.sleep(1);
  });

  test('has no pause where the start has failed: nobody has been led here', async () => {
    const lifecycle = createLifecycle(log);
    endUnnoticed(lifecycle, serve('localhost'), 60_000);
    await lifecycle.stop();
  });

  test('lets requests in hand finish', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const http = serve('localhost', 0, async () => {
      begun.resolve();
      await promise;
      return new Response('ok');
    });
    const answer = fetch(`http://localhost:${http.port}`);
    await begun.promise;
    const stopped = http.stop();
    resolve();
    expect(await (await answer).text()).toBe('ok');
    await stopped;
  });
});
