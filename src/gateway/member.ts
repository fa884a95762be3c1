import type { ChatError } from '../shared/errors.ts';
import type { EndReason } from './connection-metrics.ts';
import { passingBacklogBytes, removalBacklogBytes } from './limits.ts';
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

/** The connection, as its member knows it. */
export interface Carrier {
  /** Bun's own socket; undefined while the connection is on long polling. */
  readonly ws: NativeSocket | undefined;
  /** What is held for a client that does not fetch it: bytes, on long polling characters. */
  readonly backlog: number;
  /** One Engine.IO packet. */
  send(packet: string): void;
  close(reason?: EndReason): void;
}

/** One socket of `/chat` with an identity; it is a member of rooms. */
export interface Member extends GatewayIdentity, Recipient {
  readonly socketId: string;
  /** Chats whose room it is in, or is on its way into. */
  readonly chats: Few<string> & { add(chatId: string): unknown; delete(chatId: string): boolean };
  /** Its CONNECT has been answered: frames may be sent. */
  live: boolean;
  /** Its user tells nobody whether they are online, and is told of nobody. */
  hides: boolean;
  /** While it connects: its memberships changed after they had been read. */
  stale: boolean;
  /** Why it may not connect after all, found while it was connecting. */
  refused: ChatError | undefined;
  closed: boolean;
  /** One Engine.IO message. */
  send(frame: string): void;
  /** The same of what is worth nothing later: not to a client that is behind. */
  pass(frame: string): void;
  /**
   * Closes the transport, not the namespace: a plain client comes back by itself, with its cursors. What was not written
   * is dropped; it is in PostgreSQL.
   */
  close(reason?: EndReason): void;
  /** Its user has been removed from a chat: where much waits for it, it is closed, lest it be read after that. */
  removed(): void;
}

/** A class, for its sake who has a hundred thousand of them: methods of a closure would be there once for each. */
class SocketMember implements Member {
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly expiresAt: number;
  readonly socketId: string;
  readonly chats = new SmallSet<string>();
  live = false;
  hides = false;
  stale = false;
  refused: ChatError | undefined = undefined;
  closed = false;
  readonly #carrier: Carrier;

  constructor(carrier: Carrier, socketId: string, identity: GatewayIdentity) {
    this.userId = identity.userId;
    this.sessionId = identity.sessionId;
    this.expiresAt = identity.expiresAt;
    this.socketId = socketId;
    this.#carrier = carrier;
  }

  get ws(): NativeSocket | undefined {
    return this.#carrier.ws;
  }

  send(frame: string): void {
    this.#carrier.send(frame);
  }

  pass(frame: string): void {
    if (this.#carrier.backlog <= passingBacklogBytes) this.#carrier.send(frame);
  }

  close(reason?: EndReason): void {
    this.#carrier.close(reason);
  }

  removed(): void {
    if (this.#carrier.backlog > removalBacklogBytes) this.close('backlog');
  }
}

export function createMember(carrier: Carrier, socketId: string, identity: GatewayIdentity): Member {
  return new SocketMember(carrier, socketId, identity);
}
