import type { Socket } from 'socket.io';
import type { ChatError } from '../shared/errors.ts';

/** Who is at the other end of a socket, from its verified token. */
export interface GatewayIdentity {
  userId: string;
  /** Undefined where sessions are those of an outside identity provider. */
  sessionId: string | undefined;
  /** Epoch seconds. */
  expiresAt: number;
}

/** One socket of `/chat` with an identity; it is a member of rooms. */
export interface Member extends GatewayIdentity {
  readonly socketId: string;
  /** Chats whose room it is in, or is on its way into. */
  readonly chats: Set<string>;
  /** Its CONNECT has been answered: frames may be sent. */
  live: boolean;
  /** While it connects: its memberships changed after they had been read. */
  stale: boolean;
  /** Why it may not connect after all, found while it was connecting. */
  refused: ChatError | undefined;
  closed: boolean;
  /** One encoded Socket.IO packet. */
  send(frame: string): void;
  /**
   * Closes the transport, not the namespace: a plain client comes back by itself, with its cursors. What was not written
   * is dropped; it is in PostgreSQL.
   */
  close(): void;
}

/** A client on long polling that fetches nothing is closed at as much as a WebSocket is. */
export const backlogLimitBytes = 1024 * 1024;

type Connection = Socket['conn'];

export function createMember(socket: Socket, identity: GatewayIdentity): Member {
  const { conn } = socket;
  let backlog = 0;
  conn.on('drain', () => {
    backlog = 0;
  });

  const member: Member = {
    ...identity,
    socketId: socket.id,
    chats: new Set(),
    live: false,
    stale: false,
    refused: undefined,
    closed: false,
    send(frame) {
      if (!conn.transport.writable) {
        backlog += frame.length;
        if (backlog > backlogLimitBytes) return closeConnection(conn);
      }
      conn.write(frame);
    },
    close: () => closeConnection(conn),
  };
  return member;
}

/** `close()` of the engine waits until what it holds is fetched, which a client that is gone never does. */
export function closeConnection(conn: Connection): void {
  const held = conn as unknown as { writeBuffer: unknown[] };
  held.writeBuffer = [];
  conn.close();
}
