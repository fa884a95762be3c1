import type { EndReason } from './connection-metrics.ts';
import type { Handshake } from './handshakes.ts';
import { backlogLimitBytes, fullPacketBudget, type PacketBudget } from './limits.ts';
import type { LongPolling } from './long-polling.ts';
import type { Carrier, Member } from './member.ts';
import type { NativeSocket } from './native-room.ts';

/** What Bun's `send` says when not all of it could be written at once. */
const backpressure = -1;

/**
 * One client's connection, by WebSocket or long polling, with what it has used up; times are of `performance.now()`. A class, and
 * few fields: there are a hundred thousand of them.
 */
export class Connection implements Carrier, PacketBudget {
  budget = fullPacketBudget;
  countedAt = performance.now();
  pingAt = 0;
  /** 0 while no ping is unanswered. */
  pingedAt = 0;
  closed = false;
  stage: 'new' | 'joining' | 'joined' = 'new';
  /** Until it has joined `/chat`. */
  handshake: Handshake | undefined;
  /** The header, for those that give no token in their CONNECT; until it has joined. */
  authorization: string | undefined;
  ws: NativeSocket | undefined = undefined;
  /** Until a WebSocket takes its place. */
  longPolling: LongPolling | undefined = undefined;
  #member: Member | undefined = undefined;
  #depart: ((member: Member) => void) | undefined = undefined;
  readonly #remove: (connection: Connection, reason: EndReason) => void;

  /** @param remove told of its end */
  constructor(
    remove: (connection: Connection, reason: EndReason) => void,
    address: string,
    authorization?: string,
  ) {
    this.#remove = remove;
    this.authorization = authorization;
    this.handshake = { address, beganAt: this.countedAt, upgrades: false, busy: false, places: undefined };
  }

  /** One Engine.IO packet. */
  send(packet: string): void {
    const waits = this.ws ? this.ws.send(packet) === backpressure : this.longPolling?.send(packet);
    if (waits && this.backlog > backlogLimitBytes) this.close('backlog');
  }

  ping(): void {
    this.send('2');
  }

  /** What is sent meanwhile goes in one write. */
  cork(work: () => void): void {
    if (this.ws) this.ws.cork(work);
    else work();
  }

  get backlog(): number {
    return this.ws?.getBufferedAmount() ?? this.longPolling?.backlog ?? 0;
  }

  /**
   * Closes the transport at once, not the namespace: a plain client comes back by itself. What was not written is
   * dropped: who has no business here any more would be sent some hundred kilobytes still, as slowly as they like.
   */
  close(reason: EndReason = 'client'): void {
    if (this.closed) return;
    this.#remove(this, reason);
    this.longPolling?.end();
    if (!this.ws) return;
    // With nothing to drop a WebSocket ends as it should.
    if (this.ws.getBufferedAmount() > 0) this.ws.terminate();
    else this.ws.close();
  }

  /** Calls `depart` with the one member that the connection carries when it is closed. @returns false if it is already */
  carry(member: Member, depart: (member: Member) => void): boolean {
    if (this.closed) return false;
    this.#member = member;
    this.#depart = depart;
    return true;
  }

  /** Not a packet has come yet. */
  get silent(): boolean {
    return this.budget === fullPacketBudget;
  }

  /** To be called once. */
  leave(): void {
    this.closed = true;
    if (this.#member) this.#depart?.(this.#member);
  }

  expired(epochSeconds: number): boolean {
    return this.#member !== undefined && this.#member.expiresAt <= epochSeconds;
  }
}
