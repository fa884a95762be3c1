/**
 * Receivers: thousands of WebSockets over raw TCP, which count frames and answer pings and look at nothing else. A
 * WebSocket client of a library would cost more than the server that is measured beside it.
 */
import type { Socket } from 'bun';
import { serveControl } from '../harness/control.ts';
import { percentile } from '../harness/statistics.ts';

interface ConnectOptions {
  port: number;
  /** Path and query of the upgrade. */
  path: string;
  /** What a server says before it is told `hello`; '' where it says nothing. */
  greeting: string;
  /** One a socket: the text it sends when it has been greeted. */
  hellos: string[];
  /** The beginning of the text that makes it ready; '' where the upgrade alone does. */
  ready: string;
  /** How many are under way at once. */
  concurrency: number;
}

interface Client {
  stage: 'http' | 'greeting' | 'ready' | 'live';
  options: ConnectOptions;
  hello: string;
  startedAt: number;
  /** Bytes of the payload in hand that are still to come. */
  skip: number;
  /** An incomplete head of a frame; before it is live, everything that came and was not read. */
  rest: Buffer | undefined;
  done: PromiseWithResolvers<void>;
}

const text = 0x1;
const close = 0x8;
const ping = 0x9;

const clients = new Set<Socket<Client>>();
let frames = 0;
let bytes = 0;
let closed = 0;
let waiting: { frames: number; resolve: () => void } | undefined;

serveControl({
  connect,
  counts: () => ({ frames, bytes, closed, open: clients.size }),
  async waitFor({ frames: wanted, timeoutMs }: { frames: number; timeoutMs: number }) {
    if (frames < wanted) {
      const reached = Promise.withResolvers<void>();
      waiting = { frames: wanted, resolve: reached.resolve };
      const timer = setTimeout(reached.resolve, timeoutMs);
      await reached.promise;
      clearTimeout(timer);
      waiting = undefined;
    }
    return { frames, bytes, closed };
  },
  closeAll() {
    for (const socket of clients) socket.terminate();
    clients.clear();
  },
});

async function connect(options: ConnectOptions): Promise<{ seconds: number; p50Ms: number; p99Ms: number }> {
  const took: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const worker = async () => {
    for (let hello = options.hellos[next++]; hello !== undefined; hello = options.hellos[next++]) {
      const began = performance.now();
      await open(options, hello);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  took.sort((a, b) => a - b);
  return { seconds, p50Ms: percentile(took, 0.5), p99Ms: percentile(took, 0.99) };
}

async function open(options: ConnectOptions, hello: string): Promise<void> {
  const done = Promise.withResolvers<void>();
  const socket = await Bun.connect<Client>({
    hostname: '127.0.0.1',
    port: options.port,
    data: {
      stage: 'http',
      options,
      hello,
      startedAt: performance.now(),
      skip: 0,
      rest: undefined,
      done,
    },
    socket: {
      open(opened) {
        opened.write(upgradeRequest(options));
      },
      data(from, chunk) {
        bytes += chunk.length;
        if (from.data.stage === 'live') onFrames(from, chunk);
        else onHandshake(from, chunk);
      },
      close: onClose,
      error: onClose,
    },
  });
  clients.add(socket);
  await done.promise;
}

function onClose(socket: Socket<Client>): void {
  if (clients.delete(socket)) closed += 1;
  socket.data.done.reject(new Error(`closed while it was at "${socket.data.stage}"`));
}

const upgradeRequest = ({ port, path }: ConnectOptions): string =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n');

/** Rare and slow: reads whole frames as text. */
function onHandshake(socket: Socket<Client>, chunk: Buffer): void {
  const client = socket.data;
  let input = client.rest ? Buffer.concat([client.rest, chunk]) : Buffer.from(chunk);
  if (client.stage === 'http') {
    const end = input.indexOf('\r\n\r\n');
    if (end < 0) {
      client.rest = input;
      return;
    }
    const status = input.toString('latin1', 0, 12);
    if (status !== 'HTTP/1.1 101') {
      client.done.reject(new Error(`the upgrade was answered with ${input.toString('latin1', 0, 300)}`));
      socket.terminate();
      return;
    }
    input = input.subarray(end + 4);
    client.stage = 'greeting';
    if (client.options.ready === '') {
      client.stage = 'live';
      client.done.resolve();
    } else if (client.options.greeting === '') {
      greet(socket);
    }
  }
  for (;;) {
    if (client.stage === ('live' as string)) {
      client.rest = undefined;
      if (input.length > 0) onFrames(socket, input);
      return;
    }
    const frame = frameAt(input, 0);
    if (!frame || input.length < frame.end) {
      client.rest = input;
      return;
    }
    const payload = input.toString('utf8', frame.start, frame.end);
    input = input.subarray(frame.end);
    if (frame.opcode === close) socket.terminate();
    else if (client.stage === 'greeting' && payload.startsWith(client.options.greeting)) greet(socket);
    else if (payload.startsWith(client.options.ready)) {
      client.stage = 'live';
      client.done.resolve();
    } else if (payload.startsWith('44')) {
      client.done.reject(new Error(`refused: ${payload}`));
    }
  }
}

function greet(socket: Socket<Client>): void {
  socket.data.stage = 'ready';
  socket.write(clientFrame(text, Buffer.from(socket.data.hello)));
}

/** The hot path: heads alone are read, payloads are passed over. */
function onFrames(socket: Socket<Client>, chunk: Buffer): void {
  const client = socket.data;
  let input = chunk;
  let at = client.skip;
  if (at >= input.length) {
    client.skip = at - input.length;
    return;
  }
  if (client.rest) {
    input = Buffer.concat([client.rest, chunk]);
    client.rest = undefined;
  }
  client.skip = 0;
  const before = frames;
  while (at < input.length) {
    const frame = frameAt(input, at);
    if (!frame) {
      client.rest = Buffer.from(input.subarray(at));
      break;
    }
    if (frame.opcode === text && frame.end - frame.start > 1) frames += 1;
    else if (frame.opcode === text) socket.write(pong);
    else if (frame.opcode === ping) socket.write(emptyPong);
    at = frame.end;
  }
  if (at > input.length) client.skip = at - input.length;
  if (waiting && frames >= waiting.frames && before < waiting.frames) waiting.resolve();
}

interface Frame {
  opcode: number;
  start: number;
  end: number;
}

function frameAt(input: Buffer, at: number): Frame | undefined {
  const first = input[at];
  const second = input[at + 1];
  if (first === undefined || second === undefined) return undefined;
  const opcode = first & 0x0f;
  const length = second & 0x7f;
  if (length < 126) return { opcode, start: at + 2, end: at + 2 + length };
  if (length === 126) {
    if (input.length < at + 4) return undefined;
    return { opcode, start: at + 4, end: at + 4 + input.readUInt16BE(at + 2) };
  }
  if (input.length < at + 10) return undefined;
  return { opcode, start: at + 10, end: at + 10 + Number(input.readBigUInt64BE(at + 2)) };
}

/** Masked with zeros, as a client must mask, and readable all the same. */
function clientFrame(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(payload.length < 126 ? 6 : 8);
  head[0] = 0x80 | opcode;
  if (payload.length < 126) {
    head[1] = 0x80 | payload.length;
  } else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}

const pong = clientFrame(text, Buffer.from('3'));
const emptyPong = clientFrame(0xa, Buffer.alloc(0));
