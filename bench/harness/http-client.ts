import type { Socket } from 'bun';

/** One keep-alive connection, one request at a time: enough of HTTP/1.1 for answers with a Content-Length, and 204. */
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
  closed: boolean;
  rest: Buffer | undefined;
  waiting: PromiseWithResolvers<HttpAnswer> | undefined;
}

/** Over raw TCP: `fetch` would cost the load more than the server that is measured. */
export async function openHttp(port: number): Promise<HttpConnection> {
  const lost = (socket: Socket<State>) => {
    socket.data.closed = true;
    socket.data.waiting?.reject(new Error('the connection was closed while a request was under way'));
  };
  const socket = await Bun.connect<State>({
    hostname: '127.0.0.1',
    port,
    data: { closed: false, rest: undefined, waiting: undefined },
    socket: { data: receive, close: lost, error: lost },
  });
  return {
    send(request) {
      if (socket.data.closed) return Promise.reject(new Error('the connection was closed while it was idle'));
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
  const headEnd = input.indexOf('\r\n\r\n');
  const status = Number(input.toString('latin1', 9, 12));
  const length =
    headEnd < 0 ? undefined : /\r\ncontent-length: (\d+)/i.exec(input.toString('latin1', 0, headEnd));
  const bytes = status === 204 ? 0 : Number(length?.[1]);
  if (headEnd < 0 || !(input.length >= headEnd + 4 + bytes)) {
    data.rest = input;
    return;
  }
  data.rest = undefined;
  const { waiting } = data;
  data.waiting = undefined;
  waiting?.resolve({ status, text: () => input.toString('utf8') });
}
