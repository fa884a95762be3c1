import type { Socket } from 'socket.io';
import type { ChatError } from '../shared/errors.ts';
import type { NativeSocket, Recipient } from './native-room.ts';
import { nativeSocketOf } from './native-socket.ts';
import { type Few, SmallSet } from './small-set.ts';

/** Who is at the other end of a socket, from its verified token. */
export interface GatewayIdentity {
  userId: string;
  /** Undefined where sessions are those of an outside identity provider. */
  sessionId: string | undefined;
  /** Epoch seconds. */
  expiresAt: number;
}

/** One socket of `/chat` with an identity; it is a member of rooms. */
export interface Member extends GatewayIdentity, Recipient {
  readonly socketId: string;
  /** Chats whose room it is in, or is on its way into. */
  readonly chats: Few<string> & { add(chatId: string): unknown; delete(chatId: string): boolean };
  /** Its CONNECT has been answered: frames may be sent. */
  live: boolean;
  /** While it connects: its memberships changed after they had been read. */
  stale: boolean;
  /** Why it may not connect after all, found while it was connecting. */
  refused: ChatError | undefined;
  closed: boolean;
  /** One Engine.IO message. */
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

/** A class, for its sake who has a hundred thousand of them: methods of a closure would be there once for each. */
class SocketMember implements Member {
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly expiresAt: number;
  readonly socketId: string;
  readonly chats = new SmallSet<string>();
  ws: NativeSocket | undefined;
  live = false;
  stale = false;
  refused: ChatError | undefined = undefined;
  closed = false;
  readonly #conn: Connection;
  /** Characters held since the last poll. */
  #backlog = 0;

  constructor(socket: Socket, identity: GatewayIdentity) {
    const { conn } = socket;
    this.userId = identity.userId;
    this.sessionId = identity.sessionId;
    this.expiresAt = identity.expiresAt;
    this.socketId = socket.id;
    this.#conn = conn;
    this.ws = nativeSocketOf(conn);
    if (this.ws) return;
    conn.on('drain', () => {
      this.#backlog = 0;
    });
    // The engine writes what it holds right after this, before anybody else can.
    conn.once('upgrade', () => {
      this.ws = nativeSocketOf(conn);
    });
  }

  send(frame: string): void {
    // Bun closes the socket when its backlog is full.
    if (this.ws) this.ws.send(frame);
    else this.#sendByEngine(frame);
  }

  #sendByEngine(frame: string): void {
    const conn = this.#conn;
    if (!conn.transport.writable) {
      this.#backlog += frame.length;
      if (this.#backlog > backlogLimitBytes) {
        closeConnection(conn);
        return;
      }
    }
    // The engine prefixes the type of its own packet.
    conn.write(frame.slice(1));
  }

  close(): void {
    closeConnection(this.#conn);
  }
}

export function createMember(socket: Socket, identity: GatewayIdentity): Member {
  return new SocketMember(socket, identity);
}

/** `close()` of the engine waits until what it holds is fetched, which a client that is gone never does. */
export function closeConnection(conn: Connection): void {
  const held = conn as unknown as { writeBuffer: unknown[] };
  held.writeBuffer = [];
  conn.close();
}
