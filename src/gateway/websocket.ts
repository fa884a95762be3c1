import type { Logger } from '../shared/log.ts';

type EngineHandler = ReturnType<import('@socket.io/bun-engine').Server['handler']>['websocket'];
type EngineSocket = Parameters<EngineHandler['open']>[0];

/** The options for `Bun.serve`'s `websocket`. */
export type GuardedWebSocketHandler = Bun.WebSocketHandler<EngineSocket['data']>;

/**
 * The engine's handlers with the limits it does not set, and where an error ends a connection, not the process. Bun's own
 * backlog is 16 MiB, after which it drops frames and keeps the socket; the engine looks at neither.
 */
export function guardWebSocket(
  handler: EngineHandler,
  options: { backlogLimitBytes: number; maxFrameBytes: number; log: Logger },
): GuardedWebSocketHandler {
  const guarded = (ws: EngineSocket, work: () => void): void => {
    try {
      work();
    } catch (error) {
      options.log.warn({ err: error }, 'a WebSocket could not be handled and is closed');
      ws.terminate();
    }
  };
  return {
    open: (ws) => guarded(ws, () => handler.open(ws)),
    message: (ws, message) => guarded(ws, () => handler.message(ws, message)),
    close: (ws, code, reason) => guarded(ws, () => handler.close(ws, code, reason)),
    maxPayloadLength: options.maxFrameBytes,
    backpressureLimit: options.backlogLimitBytes,
    closeOnBackpressureLimit: true,
  };
}
