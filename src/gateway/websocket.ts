import type { Logger } from '../shared/log.ts';
import type { Connections } from './connections.ts';
import type { Direct } from './direct.ts';
import { DirectConnection, type DirectSocket } from './direct-connection.ts';
import { maxFirstFrameBytes, nativeBacklogBytes } from './limits.ts';
import { Probe } from './probe.ts';

type EngineHandler = ReturnType<import('@socket.io/bun-engine').Server['handler']>['websocket'];
type EngineSocket = Parameters<EngineHandler['open']>[0];

/** The options for `Bun.serve`'s `websocket`. */
export type GuardedWebSocketHandler = Bun.WebSocketHandler<EngineSocket['data']>;

type Socket = DirectSocket & { data: unknown };

/**
 * Two kinds of sockets: direct ones, and those that come to the engine's long polling, by its own handlers with the limits it
 * does not set. An error ends a connection, not the process. By
 * itself Bun drops frames beyond 16 MiB and keeps the socket; the engine looks at neither.
 */
export function guardWebSocket(
  engine: EngineHandler,
  direct: Direct,
  options: { connections: Connections; log: Logger },
): GuardedWebSocketHandler {
  const { connections } = options;
  const guarded = (ws: Socket, work: () => void): void => {
    try {
      work();
    } catch (error) {
      options.log.warn({ err: error }, 'a WebSocket could not be handled and is closed');
      ws.terminate();
    }
  };
  return {
    open: (ws) =>
      guarded(ws, () => {
        const connection = directOf(ws);
        if (connection) return direct.open(connection, ws);
        const probe = probeOf(ws);
        if (probe) {
          probe.ws = ws;
          connections.add(probe);
        }
        engine.open(ws);
      }),
    message: (ws, message) =>
      guarded(ws, () => {
        const connection = directOf(ws);
        if (connection) return direct.message(connection, message);
        const probe = probeOf(ws);
        if (!probe || (!probe.closed && connections.mayReceive(probe, message))) engine.message(ws, message);
      }),
    close: (ws, code, reason) =>
      guarded(ws, () => {
        const connection = directOf(ws);
        if (connection) return direct.close(connection);
        const probe = probeOf(ws);
        if (probe) connections.remove(probe);
        engine.close(ws, code, reason);
      }),
    maxPayloadLength: maxFirstFrameBytes,
    backpressureLimit: nativeBacklogBytes,
    closeOnBackpressureLimit: true,
  };
}

const directOf = ({ data }: Socket): DirectConnection | undefined =>
  data instanceof DirectConnection ? data : undefined;

/** Undefined once it has taken the place of long polling. */
function probeOf({ data }: Socket): Probe | undefined {
  const probe: unknown = (data as { probe?: unknown }).probe;
  return probe instanceof Probe ? probe : undefined;
}
