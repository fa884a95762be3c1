import { afterEach, expect, test } from 'bun:test';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createLink, createTcpProxy, type Link, type TcpProxy } from '../../torture/tcp-proxy.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** A server with its sockets; `data` gathers all it was sent. */
async function serve(
  onSocket: (socket: Socket) => void,
): Promise<{ port: number; server: Server; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, server, sockets };
}

const echo = () => serve((socket) => socket.pipe(socket));

function proxyTo(port: number): { proxy: TcpProxy; link: Link } {
  const link = createLink(port);
  const proxy = createTcpProxy(() => [link]);
  undo.push(() => proxy.close());
  return { proxy, link };
}

interface Client {
  socket: Socket;
  received: () => string;
  until: (ok: () => boolean) => Promise<void>;
  ended: Promise<string>;
}

function dial(port: number): Client {
  const socket = connect({ port, host: '127.0.0.1' });
  const chunks: Buffer[] = [];
  let bell = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const ring = () => {
    bell.resolve();
    bell = Promise.withResolvers();
  };
  let code = 'closed';
  socket.on('data', (chunk) => {
    chunks.push(Buffer.from(chunk));
    ring();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? 'error';
  });
  socket.on('close', () => ended.resolve(code));
  undo.push(() => socket.destroy());
  return {
    socket,
    received: () => Buffer.concat(chunks).toString('latin1'),
    async until(ok) {
      while (!ok()) await bell.promise;
    },
    ended: ended.promise,
  };
}

test('passes bytes both ways, and the end of each way by itself', async () => {
  const { port } = await serve((socket) => {
    // Answers only when the client has ended its own way.
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on('end', () => socket.end(`got ${Buffer.concat(chunks)}`));
  });
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.end('hello');
  expect(await client.ended).toBe('closed');
  expect(client.received()).toBe('got hello');
  expect(link.connections).toBe(0);
});

test('keeps every byte in order under backpressure', async () => {
  const megabytes = 24;
  const block = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < block.length; at += 1) block[at] = at % 251;
  const expected = new Bun.CryptoHasher('sha256');
  for (let count = 0; count < megabytes; count += 1) expected.update(block);
  const { port } = await serve((socket) => {
    for (let count = 0; count < megabytes; count += 1) socket.write(block);
    socket.end();
  });
  const { proxy } = proxyTo(port);
  const client = connect({ port: proxy.port, host: '127.0.0.1' });
  undo.push(() => client.destroy());
  const actual = new Bun.CryptoHasher('sha256');
  let chunks = 0;
  for await (const chunk of client) {
    actual.update(chunk);
    chunks += 1;
    // A reader slower than the sender.
    if (chunks % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(actual.digest('hex')).toBe(expected.digest('hex'));
}, 20_000);

test('a cut resets both sides', async () => {
  const closings: string[] = [];
  const { port } = await serve((socket) => {
    socket.pipe(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => closings.push(error.code ?? ''));
  });
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.write('x');
  await client.until(() => client.received() === 'x');
  link.cut();
  expect(await client.ended).toBe('ECONNRESET');
  while (closings.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(closings).toEqual(['ECONNRESET']);
});

test('refusing resets new connections and leaves the others', async () => {
  const { port } = await echo();
  const { proxy, link } = proxyTo(port);
  const before = dial(proxy.port);
  before.socket.write('a');
  await before.until(() => before.received() === 'a');
  link.refuse(true);
  expect(await dial(proxy.port).ended).toBe('ECONNRESET');
  before.socket.write('b');
  await before.until(() => before.received() === 'ab');
  link.refuse(false);
  const after = dial(proxy.port);
  after.socket.write('c');
  await after.until(() => after.received() === 'c');
});

test('a held way loses nothing, and the other way goes on', async () => {
  const got: string[] = [];
  const { port, sockets } = await serve((socket) => socket.on('data', (chunk) => got.push(String(chunk))));
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.write('1');
  while (got.length === 0) await new Promise((resolve) => setImmediate(resolve));

  link.flow({ toClient: { kind: 'hold' } });
  sockets[0]?.write('held');
  client.socket.write('2');
  while (got.join('') !== '12') await new Promise((resolve) => setImmediate(resolve));
  expect(client.received()).toBe('');

  link.flow({ toClient: { kind: 'pass' } });
  await client.until(() => client.received() === 'held');
});

test('while a link holds, the death of one side stays hidden from the other', async () => {
  let ended = false;
  const { port } = await serve((socket) => {
    socket.pipe(socket);
    socket.on('close', () => {
      ended = true;
    });
  });
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.write('x');
  await client.until(() => client.received() === 'x');
  link.flow({ toServer: { kind: 'hold' }, toClient: { kind: 'hold' } });
  client.socket.resetAndDestroy();
  await client.ended;
  // A whole round through the event loops of all three.
  const witness = dial((await echo()).port);
  witness.socket.write('y');
  await witness.until(() => witness.received() === 'y');
  expect(ended).toBe(false);
  expect(link.connections).toBe(1);
  link.flow({ toServer: { kind: 'pass' }, toClient: { kind: 'pass' } });
  while (!ended) await new Promise((resolve) => setImmediate(resolve));
  expect(link.connections).toBe(0);
});

test('a stranded connection is silent for good, whatever the link does; new ones work, and its end reaches the server', async () => {
  const { port, sockets } = await echo();
  const { proxy, link } = proxyTo(port);
  const stranded = dial(proxy.port);
  stranded.socket.write('a');
  await stranded.until(() => stranded.received() === 'a');
  link.strand();
  expect(link.connections).toBe(0);
  stranded.socket.write('b');
  link.cut();
  link.flow({ toServer: { kind: 'pass' }, toClient: { kind: 'pass' } });
  const fresh = dial(proxy.port);
  fresh.socket.write('x');
  await fresh.until(() => fresh.received() === 'x');
  expect(stranded.received()).toBe('a');
  expect(stranded.socket.destroyed).toBe(false);
  const served = sockets[0];
  expect(served?.destroyed).toBe(false);
  stranded.socket.destroy();
  while (served?.destroyed === false) await new Promise((resolve) => setImmediate(resolve));
});

test('connections made while a link holds wait', async () => {
  const { port } = await echo();
  const { proxy, link } = proxyTo(port);
  link.flow({ toServer: { kind: 'hold' }, toClient: { kind: 'hold' } });
  const client = dial(proxy.port);
  client.socket.write('x');
  while (link.connections === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(client.received()).toBe('');
  link.flow({ toServer: { kind: 'pass' }, toClient: { kind: 'pass' } });
  await client.until(() => client.received() === 'x');
});

test('a delay keeps the order and takes its time', async () => {
  const { port } = await echo();
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.write('0');
  await client.until(() => client.received() === '0');
  link.flow({ toClient: { kind: 'delay', ms: 120 } });
  const began = performance.now();
  for (let at = 1; at <= 9; at += 1) client.socket.write(String(at));
  await client.until(() => client.received() === '0123456789');
  const took = performance.now() - began;
  expect(took).toBeGreaterThanOrEqual(119);
  expect(took).toBeLessThan(1_000);
});

test('what is dropped is gone', async () => {
  const { port } = await echo();
  const { proxy, link } = proxyTo(port);
  const client = dial(proxy.port);
  client.socket.write('a');
  await client.until(() => client.received() === 'a');
  link.flow({ toServer: { kind: 'drop' } });
  client.socket.write('b');
  const witness = dial((await echo()).port);
  witness.socket.write('y');
  await witness.until(() => witness.received() === 'y');
  link.flow({ toServer: { kind: 'pass' } });
  client.socket.write('c');
  await client.until(() => client.received().length === 2);
  expect(client.received()).toBe('ac');
});

test('the next server gets a connection that the first one refuses', async () => {
  const { port } = await echo();
  const gone = await echo();
  gone.server.close();
  const links = [createLink(gone.port), createLink(port)];
  const proxy = createTcpProxy(() => links);
  undo.push(() => proxy.close());
  const client = dial(proxy.port);
  client.socket.write('x');
  await client.until(() => client.received() === 'x');
  expect(links.map(({ connections }) => connections)).toEqual([0, 1]);
});
