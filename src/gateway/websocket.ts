import type { Logger } from '../shared/log.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { maxFirstFrameBytes, nativeBacklogBytes } from './limits.ts';
import type { Polling } from './polling.ts';
import { Probe } from './probe.ts';
import { openPacket, type Protocol } from './protocol.ts';

/** The options for `Bun.serve`'s `websocket`. */
export type WebSocketHandler = Bun.WebSocketHandler<Connection>;

/**
 * An error ends a connection, not the process. By itself Bun drops frames beyond 16 MiB of backlog and keeps the socket.
 */
export function createWebSocketHandler(deps: {
  connections: Connections;
  protocol: Protocol;
  polling: Polling;
  log: Logger;
}): WebSocketHandler {
  const { connections, protocol, polling, log } = deps;
  const guarded = (ws: Bun.ServerWebSocket<Connection>, work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.warn({ err: error }, 'a WebSocket could not be handled and is closed');
      ws.terminate();
    }
  };
  return {
    open: (ws) =>
      guarded(ws, () => {
        const { data: connection } = ws;
        connection.ws = ws;
        connections.add(connection);
        if (connection instanceof Probe) polling.openProbe(connection);
        else ws.send(openPacket(crypto.randomUUID(), []));
      }),
    message: (ws, message) =>
      guarded(ws, () => {
        const { data: connection } = ws;
        if (!(connection instanceof Probe)) protocol.receive(connection, message);
        else if (!connection.closed && connections.mayReceive(connection, message))
          ws.data = polling.probe(connection, ws, message) ?? connection;
      }),
    close: (ws) => guarded(ws, () => connections.remove(ws.data)),
    maxPayloadLength: maxFirstFrameBytes,
    backpressureLimit: nativeBacklogBytes,
    closeOnBackpressureLimit: true,
  };
}
