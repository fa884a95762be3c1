/** Users of chats of two: each is connected, posts by REST, and the other one's frame is waited for. */
import { serveControl } from '../harness/control.ts';
import { type HttpConnection, openHttp } from '../harness/http-client.ts';
import { percentile } from '../harness/statistics.ts';

export interface ChattersOptions {
  apiPort: number;
  /** One user after the other at each of them in turn. */
  gatewayPorts: number[];
  /** CONNECT packets of Socket.IO, one a user. */
  hellos: string[];
  /** Sends, with the id that stands in each; sender after sender. */
  requests: string[];
  uniqueId: string;
  connections: number;
}

export interface ChattersResult {
  delivered: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

const newMessage = '42/chat,["chat.message.new"';
const clientMessageId = '"clientMessageId":"';
const giveUpMs = 20_000;

const sockets: WebSocket[] = [];
const idle: HttpConnection[] = [];
const wantConnection: ((connection: HttpConnection) => void)[] = [];
const waiting = new Map<string, (at: number) => void>();
let requests: { bytes: Buffer; idAt: number }[] = [];
let openOne = (): Promise<HttpConnection> => Promise.reject(new Error('nobody is connected'));
let unique = Math.floor(Math.random() * 2 ** 40);
let turn = 0;

serveControl({
  async connect(options: ChattersOptions) {
    requests = options.requests.map((request) => {
      const bytes = Buffer.from(request);
      return { bytes, idAt: bytes.indexOf(options.uniqueId) };
    });
    for (const [at, hello] of options.hellos.entries()) {
      const port = options.gatewayPorts[at % options.gatewayPorts.length] ?? 0;
      sockets.push(await openSocket(port, hello));
    }
    openOne = () => openHttp(options.apiPort);
    for (let at = 0; at < options.connections; at += 1) idle.push(await openOne());
  },
  /** The connections for sends anew: the api closes those that are left alone, as they are while others talk. */
  async renew() {
    for (const connection of idle.splice(0)) {
      connection.close();
      idle.push(await openOne());
    }
  },
  /** So many at a time, each waited for until it has arrived. */
  async closed({ slots, seconds, count }: { slots: number; seconds?: number; count?: number }) {
    const endAt = performance.now() + (seconds ?? 60) * 1000;
    let left = count ?? Number.POSITIVE_INFINITY;
    return measure(async (took) => {
      const slot = async () => {
        while (performance.now() < endAt && left-- > 0) took.push(await sendAndReceive());
      };
      await Promise.all(Array.from({ length: slots }, slot));
    });
  },
  /** At a constant rate, whatever is still under way. A time begins when the message is due. */
  async open({ aSecond, seconds }: { aSecond: number; seconds: number }) {
    return measure(async (took) => {
      const startedAt = performance.now();
      const under: Promise<void>[] = [];
      const count = Math.round(aSecond * seconds);
      for (let sent = 0; sent < count; ) {
        const due = Math.min(count, ((performance.now() - startedAt) / 1000) * aSecond);
        for (; sent < due; sent += 1) {
          const dueAt = startedAt + (sent / aSecond) * 1000;
          under.push(sendAndReceive(dueAt).then((ms) => void took.push(ms)));
        }
        await Bun.sleep(1);
      }
      await Promise.all(under);
    });
  },
});

async function measure(work: (took: number[]) => Promise<void>): Promise<ChattersResult> {
  const took: number[] = [];
  const startedAt = performance.now();
  await work(took);
  const seconds = (performance.now() - startedAt) / 1000;
  took.sort((a, b) => a - b);
  return { delivered: took.length, seconds, p50Ms: percentile(took, 0.5), p99Ms: percentile(took, 0.99) };
}

/** From the POST to the recipient's frame, in milliseconds. */
async function sendAndReceive(since = performance.now()): Promise<number> {
  // The one that has been idle longest: the api closes those that are left alone.
  const connection =
    idle.shift() ?? (await new Promise<HttpConnection>((resolve) => wantConnection.push(resolve)));
  const request = requests[turn++ % requests.length];
  if (!request) throw new Error('nobody is connected');
  const id = (unique++).toString(16).padStart(12, '0');
  request.bytes.write(id, request.idAt + 24, 'latin1');
  const arrived = Promise.withResolvers<number>();
  waiting.set(id, arrived.resolve);
  const timer = setTimeout(
    () => arrived.reject(new Error(`a message has not arrived in ${giveUpMs} ms`)),
    giveUpMs,
  );
  try {
    const answer = await connection.send(request.bytes);
    if (answer.status !== 202) throw new Error(`unexpected answer: ${answer.text().slice(0, 500)}`);
    const next = wantConnection.shift();
    if (next) next(connection);
    else idle.push(connection);
    return (await arrived.promise) - since;
  } finally {
    clearTimeout(timer);
  }
}

function openSocket(port: number, hello: string): Promise<WebSocket> {
  const ready = Promise.withResolvers<WebSocket>();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    if (data.startsWith(newMessage)) {
      const at = data.indexOf(clientMessageId) + clientMessageId.length;
      const id = data.slice(at + 24, at + 36);
      waiting.get(id)?.(performance.now());
      waiting.delete(id);
    } else if (data === '2') socket.send('3');
    else if (data.startsWith('0{')) socket.send(hello);
    else if (data.startsWith('42/chat,["chat.ready"')) ready.resolve(socket);
    else if (data.startsWith('44')) ready.reject(new Error(data));
  };
  socket.onclose = () => ready.reject(new Error('a socket was closed while it connected'));
  return ready.promise;
}
