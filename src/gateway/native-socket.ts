import type { Socket } from 'socket.io';
import type { NativeSocket } from './native-room.ts';

/**
 * Drops what was not written; with nothing of that a WebSocket ends as it should. Whoever has no business here any more would
 * otherwise be sent some hundred kilobytes still, as slowly as they like.
 */
export function endNow(ws: NativeSocket): void {
  if (ws.getBufferedAmount() > 0) ws.terminate();
  else ws.close();
}

/** Bun's own socket; undefined while the connection is on long polling, or on its way to WebSocket. */
export function nativeSocketOf(conn: Socket['conn']): NativeSocket | undefined {
  const transport = conn.transport as unknown as { name: string; socket?: NativeSocket };
  return transport.name === 'websocket' ? transport.socket : undefined;
}
