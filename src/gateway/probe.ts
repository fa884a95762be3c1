import { Connection, type Connections } from './connections.ts';
import type { DirectSocket } from './direct-connection.ts';

/**
 * A WebSocket that asks to take the place of long polling. Until it does, it is a connection of its own, which carries nobody:
 * it counts as a handshake, has a handshake's time, and its packets have a budget.
 */
export class Probe extends Connection {
  ws: DirectSocket | undefined = undefined;
  readonly #connections: Connections;

  constructor(connections: Connections, address: string) {
    super(address);
    this.#connections = connections;
  }

  get backlog(): number {
    return 0;
  }

  onNative(): void {}
  send(): void {}
  ping(): void {}

  close(): void {
    if (this.closed) return;
    this.#connections.remove(this);
    this.ws?.terminate();
  }
}

/** What the engine's WebSockets carry. */
export interface EngineSocketData {
  /** Until it has taken the place of long polling. */
  probe?: Probe | undefined;
}
