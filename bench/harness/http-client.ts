import type { Socket } from 'bun';

/** One keep-alive connection, one request at a time: enough of HTTP/1.1 for answers of JSON, whole or in chunks. */
export interface HttpConnection {
  /** Resolves when the whole answer is there. */
  send(request: Uint8Array): Promise<HttpAnswer>;
  close(): void;
}

export interface HttpAnswer {
  status: number;
  /** Head and body, as they came. */
  text(): string;
}

interface State {
  rest: Buffer | undefined;
  waiting: PromiseWithResolvers<HttpAnswer> | undefined;
}

/** Over raw TCP: `fetch` would cost the load more than the server that is measured. */
export async function openHttp(port: number): Promise<HttpConnection> {
  const lost = (socket: Socket<State>) =>
    socket.data.waiting?.reject(new Error('the connection was closed while a request was under way'));
  const socket = await Bun.connect<State>({
    hostname: '127.0.0.1',
    port,
    data: { rest: undefined, waiting: undefined },
    socket: { data: receive, close: lost, error: lost },
  });
  return {
    send(request) {
      const waiting = Promise.withResolvers<HttpAnswer>();
      socket.data.waiting = waiting;
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.terminate(),
  };
}

function receive({ data }: Socket<State>, chunk: Buffer): void {
  const input = data.rest ? Buffer.concat([data.rest, chunk]) : Buffer.from(chunk);
  if (!isWhole(input)) {
    data.rest = input;
    return;
  }
  data.rest = undefined;
  const { waiting } = data;
  data.waiting = undefined;
  waiting?.resolve({ status: Number(input.toString('latin1', 9, 12)), text: () => input.toString('utf8') });
}

/** JSON has no line break of its own: the last chunk is the only place where one stands before a 0. */
const lastChunk = '\r\n0\r\n\r\n';

function isWhole(input: Buffer): boolean {
  const headEnd = input.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(input.toString('latin1', 0, headEnd));
  if (length) return input.length >= headEnd + 4 + Number(length[1]);
  return input.toString('latin1', input.length - lastChunk.length) === lastChunk;
}
