import type { ChatError } from '../shared/errors.ts';
import type { Connection } from './connections.ts';
import { backlogLimitBytes, removalBacklogBytes } from './limits.ts';
import type { NativeSocket, Recipient } from './native-room.ts';
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
  /** Its user has been removed from a chat: where much waits for it, it is closed, lest it be read after that. */
  removed(): void;
}

/** What Bun's `send` says when not all of it could be written at once. */
const backpressure = -1;

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
  readonly #connection: Connection;

  constructor(connection: Connection, socketId: string, identity: GatewayIdentity) {
    this.userId = identity.userId;
    this.sessionId = identity.sessionId;
    this.expiresAt = identity.expiresAt;
    this.socketId = socketId;
    this.#connection = connection;
    this.ws = connection.ws;
    if (this.ws) return;
    connection.onNative((ws) => {
      this.ws = ws;
    });
  }

  send(frame: string): void {
    if (!this.ws) this.#connection.send(frame);
    else if (this.ws.send(frame) === backpressure && this.#connection.backlog > backlogLimitBytes)
      this.close();
  }

  close(): void {
    this.#connection.close();
  }

  removed(): void {
    if (this.#connection.backlog > removalBacklogBytes) this.close();
  }
}

export function createMember(connection: Connection, socketId: string, identity: GatewayIdentity): Member {
  return new SocketMember(connection, socketId, identity);
}
