import { Connection, type Connections } from './connections.ts';
import type { NativeSocket } from './native-room.ts';
import { endNow } from './native-socket.ts';

/** What of Bun's socket a connection uses. */
export interface DirectSocket extends NativeSocket {
  cork<Result>(work: () => Result): Result;
}

/** A connection that is a WebSocket from the beginning, and that neither Socket.IO nor its engine knows of. */
export class DirectConnection extends Connection {
  ws: DirectSocket | undefined = undefined;
  stage: 'new' | 'joining' | 'joined' = 'new';
  /** The header, for those that give no token in their CONNECT; until it has joined. */
  authorization: string | undefined;
  readonly #connections: Connections;

  constructor(connections: Connections, address: string, authorization: string | undefined) {
    super(address);
    this.#connections = connections;
    this.authorization = authorization;
  }

  /** It has been a native socket before anybody could ask. */
  onNative(): void {}

  get backlog(): number {
    return this.ws?.getBufferedAmount() ?? 0;
  }

  send(frame: string): void {
    this.ws?.send(frame);
  }

  ping(): void {
    this.ws?.send('2');
  }

  close(): void {
    if (this.closed) return;
    this.#connections.remove(this);
    if (this.ws) endNow(this.ws);
  }
}
