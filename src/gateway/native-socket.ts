import type { Socket } from 'socket.io';
import type { NativeSocket } from './native-room.ts';

/** Bun's own socket; undefined while the connection is on long polling, or on its way to WebSocket. */
export function nativeSocketOf(conn: Socket['conn']): NativeSocket | undefined {
  const transport = conn.transport as unknown as { name: string; socket?: NativeSocket };
  return transport.name === 'websocket' ? transport.socket : undefined;
}
